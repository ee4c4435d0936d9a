import { isJsonObject, parseJson, type Json } from '../../core/json.ts'
import type { ListedMachine } from '../rules/orphans.ts'
import { SpawnFailError } from './errors.ts'
import { hookCommand, runVmmHook, type RunVmmHook } from './hook.ts'
import type { VmmOptions } from './options.ts'
import type { MachineSource } from './orphan-cleaner.ts'
import { terminateMachine } from './terminator.ts'

/** A machine as a list hook prints it. */
export interface HookMachine extends ListedMachine {
  readonly ip: string
  /** The group whose terminate hook ends it. */
  readonly group: number
}

/** How long listing all machines may take. */
const LIST_TIMEOUT_MS = 300_000

/**
 * The machines of a provider by hooks: the list hook prints a JSON array, and each is ended by the terminate hook of its group.
 *
 * An entry is `{"vm_name":"…","vm_ip":"…","group":0,"created_at":1700000000,"error":false}`: unix seconds; only the name must
 * be there, and a machine without `created_at` is never taken for an orphan because of its age.
 *
 * Source: vm-pool.md A10.
 */
export function hookMachines(options: VmmOptions, runHook: RunVmmHook = runVmmHook): MachineSource<HookMachine> {
  return {
    list: async ({ signal }) => {
      const { command, env } = hookCommand(options.listPlaybook, 'list', { group: 0 })
      return readMachines(await runHook(command, { what: 'list', env, timeoutMs: LIST_TIMEOUT_MS, signal }))
    },
    destroy: async ({ name, ip, group }, { signal }) => {
      await terminateMachine(options, { name, ip, group }, { runHook, signal })
    },
  }
}

/** @throws InvalidInputError, SpawnFailError: half a list is none, because what it lacks would count as gone */
function readMachines(stdout: string): HookMachine[] {
  const printed = parseJson(stdout, 'The output of the list hook')
  if (!Array.isArray(printed)) throw new SpawnFailError('The list hook must print a JSON array of machines.')
  return (printed as readonly Json[]).map(machineOf)
}

function machineOf(entry: Json): HookMachine {
  if (!isJsonObject(entry) || typeof entry['vm_name'] !== 'string' || entry['vm_name'] === '') {
    throw new SpawnFailError('The list hook printed an entry without a vm_name: nothing is cleaned up.')
  }
  const { vm_name: name, vm_ip: ip, group, created_at: createdAt, error } = entry
  return {
    name,
    ip: typeof ip === 'string' ? ip : '',
    group: typeof group === 'number' ? group : 0,
    createdAt: typeof createdAt === 'number' ? createdAt : null,
    inError: error === true,
  }
}
