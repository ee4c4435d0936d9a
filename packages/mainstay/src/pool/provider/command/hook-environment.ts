import { toJson } from '../../../core/json.ts'
import type { CreateRequest, MachineRef, MachineTags, ProviderResource } from '../provider.ts'
import { writeTags } from '../tags.ts'
import type { HookCommand } from './run-hook.ts'

/** The variables that a hook gets. */
export type HookEnvironment = Readonly<Record<string, string>>

/** Source: vm-pool.md A8, hook contract. */
export function createEnvironment(request: CreateRequest, tags: MachineTags): HookEnvironment {
  return {
    MAINSTAY_VM_NAME: request.name,
    MAINSTAY_VM_ID: '',
    MAINSTAY_VM_IP: '',
    MAINSTAY_VM_GROUP: request.pool,
    MAINSTAY_VM_DATA: '{}',
    MAINSTAY_VM_TAGS: toJson(writeTags(tags)),
    MAINSTAY_VM_PROFILE: toJson(request.profile),
    ...Object.fromEntries(
      Object.entries(request.profile).map(([key, value]) => [`MAINSTAY_PROFILE_${variableName(key)}`, value]),
    ),
  }
}

export function machineEnvironment({ name, providerId, address, pool, data }: MachineRef): HookEnvironment {
  return {
    MAINSTAY_VM_NAME: name,
    MAINSTAY_VM_ID: providerId ?? name,
    MAINSTAY_VM_IP: address ?? '',
    MAINSTAY_VM_GROUP: pool ?? '',
    MAINSTAY_VM_DATA: toJson(data ?? {}),
  }
}

export function resourceEnvironment({ kind, providerId, name }: ProviderResource): HookEnvironment {
  return { MAINSTAY_RESOURCE_KIND: kind, MAINSTAY_RESOURCE_ID: providerId, MAINSTAY_RESOURCE_NAME: name }
}

/** The command with its `${MAINSTAY_…}` filled in. No shell reads it, so nothing needs quoting; unknown names stay. */
export function fillIn([program, ...args]: HookCommand, environment: HookEnvironment): HookCommand {
  return [
    program,
    ...args.map((arg) => arg.replaceAll(/\$\{(MAINSTAY_\w+)\}/g, (whole, name: string) => environment[name] ?? whole)),
  ]
}

function variableName(key: string): string {
  return key.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')
}
