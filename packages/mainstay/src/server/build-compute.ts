import type { Compute } from '../compute/index.ts'
import { SimulatedCompute } from '../compute/simulated/index.ts'
import type { Clock } from '../core/clock.ts'
import type { Publish } from '../core/event.ts'
import type { Ids } from '../core/ids.ts'
import type { Logger } from '../core/logging.ts'
import { CommandFence, PowerFence, type Fence, type FencesFor } from '../recovery/index.ts'
import type { Store } from '../store/index.ts'
import { dataDirectory } from './build-store.ts'
import type { Config } from './config/schema.ts'

export interface BuiltCompute {
  readonly compute: Compute
  readonly fencesFor: FencesFor
  /** What the banner says of it. */
  readonly description: string
  /** The fleet itself, where it is simulated. */
  readonly simulated: SimulatedCompute | null
}

export interface ComputeDependencies {
  readonly clock: Clock
  readonly logger: Logger
  readonly ids: Ids
  readonly store: Store
  /** Where alarms of the platform go. */
  readonly publish?: Publish
}

/** The platform that the configuration names, and the ways to fence its hosts. @throws InvalidInputError */
export async function buildCompute(config: Config, deps: ComputeDependencies): Promise<BuiltCompute> {
  const { clock, logger } = deps
  const commands = commandFences(config, clock)
  if (config.compute.driver === 'libvirt') {
    const { buildLibvirt } = await import('./build-libvirt.ts')
    return await buildLibvirt(config, deps, commands)
  }
  const { simulated_hosts: hosts, simulated_guests: guests, simulated_seed: seed } = config.compute
  const { simulated_start_ms: startMs, simulated_evacuate_ms: evacuateMs, simulated_power_ms: powerMs } = config.compute
  const compute = new SimulatedCompute({
    clock,
    logger,
    directory: dataDirectory(config),
    size: { hosts, guests, seed },
    latency: { startMs, stopMs: startMs, evacuateMs, powerMs },
    evacuationsBy: config.compute.simulated_evacuations_by,
  })
  const power = {
    powerOff: async (host: string, asking: { signal: AbortSignal }) => await compute.power.powerOffHost(host, asking),
    readPower: async (host: string, asking: { signal: AbortSignal }) => await compute.power.readPower(host, asking),
  }
  const own = new PowerFence({ method: 'simulated', power, clock })
  return {
    compute,
    fencesFor: (host) => [...commands(host), own],
    description: `a simulated fleet of ${hosts} hosts with ${guests} guests`,
    simulated: compute,
  }
}

function commandFences({ fence, recovery }: Config, clock: Clock): FencesFor {
  const configured = fence.command.map(({ hosts, off, verify, expect }) => ({
    hosts: new Set(hosts),
    fence: new CommandFence(
      {
        off: off as [string, ...string[]],
        verify: verify as [string, ...string[]],
        expect,
        timeoutMs: Math.floor(recovery.fence_timeout_ms / 3),
      },
      clock,
    ) satisfies Fence,
  }))
  return (host) => configured.filter(({ hosts }) => hosts.has(host) || hosts.has('*')).map(({ fence: each }) => each)
}
