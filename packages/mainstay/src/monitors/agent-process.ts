import { errorMessage } from '../core/errors.ts'
import { exitOf, startAgent, type AgentDeps, type AgentExit, type RunningAgent } from './agent.ts'
import type { AgentOptions } from './agent-options.ts'
import type { MonitorName } from './monitor.ts'

export interface AgentRun {
  readonly monitors: readonly MonitorName[]
  /** Reads the configuration: at the start, and again at each SIGHUP. */
  readonly load: () => Promise<AgentOptions>
}

/**
 * Runs an agent until this process is told to stop: SIGTERM stops in order, SIGINT at once, SIGHUP reads the
 * configuration again; a bad one changes nothing and is said so. Never exits the process itself.
 *
 * Source: monitors.md DL-1, DL-3, DL-4.
 */
export async function runAgent({ monitors, load }: AgentRun, deps: AgentDeps): Promise<AgentExit> {
  using signals = new Signals()
  try {
    const agent = await startAgent(monitors, await load(), deps)
    let signal = await signals.next()
    for (; signal === 'SIGHUP'; signal = await signals.next()) await reload(agent, load, deps)
    await agent.stop(signal === 'SIGINT' ? { graceMs: 0 } : {})
    return { code: 0 }
  } catch (error) {
    deps.logger.fatal({ err: error }, errorMessage(error))
    return exitOf(error)
  }
}

async function reload(agent: RunningAgent, load: AgentRun['load'], { logger }: AgentDeps): Promise<void> {
  try {
    agent.reload(await load())
    logger.info('The configuration was read again')
  } catch (error) {
    logger.error({ err: error }, `The new configuration is not used, the old one stays: ${errorMessage(error)}`)
  }
}

const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

type Signal = (typeof SIGNALS)[number]

/** The signals that this process gets, in order, from the making of this on. */
class Signals implements Disposable {
  readonly #arrived: Signal[] = []
  #waiting: PromiseWithResolvers<void> | undefined
  readonly #arrive = (signal: Signal): void => {
    this.#arrived.push(signal)
    this.#waiting?.resolve()
  }

  constructor() {
    for (const signal of SIGNALS) process.on(signal, this.#arrive)
  }

  async next(): Promise<Signal> {
    for (;;) {
      const signal = this.#arrived.shift()
      if (signal !== undefined) return signal
      this.#waiting = Promise.withResolvers()
      await this.#waiting.promise
    }
  }

  [Symbol.dispose](): void {
    for (const signal of SIGNALS) process.off(signal, this.#arrive)
  }
}
