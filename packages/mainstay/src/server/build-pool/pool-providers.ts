import type { Clock } from '../../core/clock.ts'
import { InvalidInputError } from '../../core/errors.ts'
import { CommandProvider, type HookCommand } from '../../pool/provider/command/index.ts'
import type { FleetMember } from '../../pool/provider/fleet.ts'
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
      throw new InvalidInputError(`The provider ${config.name} is of the driver libvirt, which is not there yet.`)
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
    },
    settings: {
      createTimeoutMs: given.create_timeout_ms,
      destroyTimeoutMs: given.destroy_timeout_ms,
      askTimeoutMs: given.ask_timeout_ms,
    },
  })
}

function hook(words: readonly string[] | undefined): HookCommand | undefined {
  const [program, ...args] = words ?? []
  return program === undefined ? undefined : [program, ...args]
}
