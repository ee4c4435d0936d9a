import { readFileSync } from 'node:fs'

import type { Clock } from '../../core/clock.ts'
import { InvalidInputError, errorMessage } from '../../core/errors.ts'
import { SystemIds } from '../../core/ids.ts'
import { CommandProvider, type HookCommand } from '../../pool/provider/command/index.ts'
import type { FleetMember } from '../../pool/provider/fleet.ts'
import {
  LibvirtProvider,
  expandAddresses,
  type AddressRule,
  type LibvirtTemplate,
} from '../../pool/provider/libvirt/index.ts'
import type { Provider } from '../../pool/provider/provider.ts'
import { SimulatedCloud, SimulatedProvider } from '../../pool/provider/simulated/index.ts'
import type { PoolProviderConfig } from '../config/pool-provider-schema.ts'

export interface ProviderParts {
  readonly clock: Clock
  /** Goes into the tags of every machine. */
  readonly installation: string
}

/** The providers that the configuration names. @throws InvalidInputError */
export function poolProviders(configs: readonly PoolProviderConfig[], parts: ProviderParts): FleetMember[] {
  const names = configs.map(({ name }) => name)
  const repeated = names.find((name, index) => names.indexOf(name) !== index)
  if (repeated !== undefined) throw new InvalidInputError(`The pool has two providers named ${repeated}.`)
  return configs.map((config) => ({
    provider: providerOf(config, parts),
    priority: config.priority,
    weight: config.weight,
  }))
}

function providerOf(config: PoolProviderConfig, parts: ProviderParts): Provider {
  switch (config.driver) {
    case 'simulated':
      return simulated(config, parts)
    case 'command':
      return command(config, parts)
    case 'libvirt':
      return libvirt(config, parts)
  }
}

function simulated({ name, simulated: given }: PoolProviderConfig, { clock, installation }: ProviderParts): Provider {
  const cloud =
    given === undefined
      ? new SimulatedCloud({ clock })
      : new SimulatedCloud({
          clock,
          seed: given.seed,
          latency: { buildMs: given.build_ms, startMs: given.start_ms, destroyMs: given.destroy_ms },
          limits: { machines: given.machines ?? null },
        })
  return new SimulatedProvider({ name, installation, cloud })
}

function command({ name, command: given }: PoolProviderConfig, parts: ProviderParts): Provider {
  const create = hook(given?.create)
  const destroy = hook(given?.destroy)
  if (given === undefined || create === undefined || destroy === undefined) {
    throw new InvalidInputError(`The provider ${name} needs its programs: command = { create = […], destroy = […] }.`)
  }
  return new CommandProvider({
    ...parts,
    name,
    hooks: {
      create,
      destroy,
      list: hook(given.list),
      describe: hook(given.describe),
      start: hook(given.start),
      stop: hook(given.stop),
      reset: hook(given.reset),
      quota: hook(given.quota),
      listResources: hook(given.list_resources),
      destroyResource: hook(given.destroy_resource),
    },
    settings: {
      createTimeoutMs: given.create_timeout_ms,
      destroyTimeoutMs: given.destroy_timeout_ms,
      askTimeoutMs: given.ask_timeout_ms,
      killGraceMs: given.kill_grace_ms,
      containment: given.containment,
    },
  })
}

function libvirt({ name, libvirt: given }: PoolProviderConfig, parts: ProviderParts): Provider {
  if (given === undefined) throw new InvalidInputError(`The provider ${name} needs its table libvirt with a template.`)
  const templates = given.templates.map((template) => [template.name, templateOf(name, template)] as const)
  return new LibvirtProvider({
    ...parts,
    name,
    ids: new SystemIds(),
    socketPath: given.socket,
    uri: given.uri,
    templates: Object.fromEntries(templates),
    settings: {
      maxMachines: given.max_machines,
      createTimeoutMs: given.create_timeout_ms,
      connectTimeoutMs: given.connect_timeout_ms,
      askTimeoutMs: given.ask_timeout_ms,
      actTimeoutMs: given.act_timeout_ms,
      pollMs: given.poll_ms,
      gracefulStopMs: given.graceful_stop_ms,
    },
  })
}

type TemplateConfig = NonNullable<PoolProviderConfig['libvirt']>['templates'][number]

function templateOf(provider: string, given: TemplateConfig): LibvirtTemplate {
  const { file, disk_base: basePath, disk_pool: pool, disk_format: baseFormat, disk_size_mib: sizeMib } = given
  const addresses = expandAddresses(given.addresses)
  if (given.address === 'static' && addresses.length === 0) {
    throw new InvalidInputError(`The template ${given.name} of the provider ${provider} has no addresses to give.`)
  }
  return {
    xml: readTemplate(file, provider),
    disk: basePath === undefined ? null : { pool, basePath, baseFormat, sizeMib },
    address: addressRule(given.address, given.address_family, addresses),
  }
}

function addressRule(
  rule: TemplateConfig['address'],
  family: TemplateConfig['address_family'],
  addresses: readonly string[],
): AddressRule {
  switch (rule) {
    case 'static':
      return { rule, addresses }
    case 'metadata':
      return { rule }
    case 'lease':
    case 'agent':
    case 'arp':
      return { rule, family }
  }
}

function readTemplate(file: string, provider: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const what = `The template ${file} of the provider ${provider} cannot be read: ${errorMessage(error)}`
    throw new InvalidInputError(what, { cause: error })
  }
}

function hook(words: readonly string[] | undefined): HookCommand | undefined {
  const [program, ...args] = words ?? []
  return program === undefined ? undefined : [program, ...args]
}
