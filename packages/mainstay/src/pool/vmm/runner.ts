import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/logging.ts'
import type { TaskGroup } from '../../core/task-group.ts'
import { EventHandler, type EventHandlerDependencies } from './event-handler.ts'
import { HealthChecker } from './health-checker.ts'
import { VmmKeys } from './keys.ts'
import { LocalWorkers } from './local-workers.ts'
import { VmManager } from './manager.ts'
import { VmMaster, type VmMasterDependencies } from './master.ts'
import { busText, type BusMessage } from './messages.ts'
import type { VmmOptions } from './options.ts'
import type { VmmRedis } from './redis.ts'
import { Spawner } from './spawner.ts'
import { Terminator } from './terminator.ts'

export interface RunnerDependencies {
  readonly redis: VmmRedis
  readonly clock: Clock
  readonly logger: Logger
  /** Where the event handler and the master run. */
  readonly tasks: TaskGroup
  /** Names the process; it keeps its name unless given. */
  readonly setTitle?: ((title: string) => void) | undefined
}

/** How the process calls itself. */
export const BASE_PROCESS_TITLE = 'mainstay vmm base process'

type Publish = (message: BusMessage) => Promise<void>

/** What a runner builds its parts with; each may be replaced. */
export const RUNNER_PARTS = {
  spawner: (options: VmmOptions, { clock, logger }: RunnerDependencies, publish: Publish): Spawner =>
    new Spawner(options, { clock, logger, publish }),
  checker: (options: VmmOptions, { clock, logger }: RunnerDependencies, publish: Publish): HealthChecker =>
    new HealthChecker(options, { clock, logger, publish }),
  terminator: (options: VmmOptions, { clock, logger }: RunnerDependencies, publish: Publish): Terminator =>
    new Terminator(options, { clock, logger, publish }),
  manager: (options: VmmOptions, dependencies: RunnerDependencies): VmManager => new VmManager(options, dependencies),
  eventHandler: (options: VmmOptions, dependencies: EventHandlerDependencies): EventHandler =>
    new EventHandler(options, dependencies),
  master: (options: VmmOptions, dependencies: VmMasterDependencies): VmMaster => new VmMaster(options, dependencies),
} as const

export type RunnerParts = typeof RUNNER_PARTS

/**
 * The whole compatible pool of one process: workers, manager, event handler, master.
 *
 *   built ──run──▶ event handler listens ──▶ master works ──terminate──▶ master stopped ──▶ event handler stopped
 *
 * Invariant: the master publishes nothing before the event handler hears the bus. Both have the same manager; the terminator is
 * the event handler's alone, spawner and checker are the master's.
 *
 * Source: vm-pool.md A10.
 */
export class VmmRunner {
  readonly #options: VmmOptions
  readonly #dependencies: RunnerDependencies
  readonly #parts: RunnerParts
  #running: { readonly stop: () => Promise<void>; readonly ended: Promise<unknown> } | undefined

  constructor(options: VmmOptions, dependencies: RunnerDependencies, parts: Partial<RunnerParts> = {}) {
    this.#options = options
    this.#dependencies = dependencies
    this.#parts = { ...RUNNER_PARTS, ...parts }
  }

  /** Builds and starts everything; the work goes on in the background. */
  async run(): Promise<void> {
    const { redis, clock, logger, tasks, setTitle } = this.#dependencies
    const { bus } = new VmmKeys(this.#options.prefix)
    const publish: Publish = async (message) => await redis.publish(bus, busText(message))
    const [options, dependencies, parts] = [this.#options, this.#dependencies, this.#parts]
    const spawner = parts.spawner(options, dependencies, publish)
    const checker = parts.checker(options, dependencies, publish)
    const terminator = parts.terminator(options, dependencies, publish)
    const manager = parts.manager(options, dependencies)
    await manager.postInit()
    const eventHandler = parts.eventHandler(options, { manager, terminator, redis, clock, logger })
    await eventHandler.postInit()
    const listening = await eventHandler.start()
    const local = options.localWorkers ? { localWorkers: new LocalWorkers({ manager, redis, clock, logger }) } : {}
    const master = parts.master(options, { manager, spawner, checker, clock, logger, ...local })
    const ended = Promise.allSettled([
      tasks.spawn('vmm event handler', async () => await listening.ended),
      tasks.spawn('vmm master', async () => await master.run()),
    ])
    setTitle?.(BASE_PROCESS_TITLE)
    const stop = async (): Promise<void> => {
      await master.terminate()
      await eventHandler.terminate()
      await terminator.terminate()
    }
    this.#running = { stop, ended }
  }

  /** Stops everything and waits for the end. Safe to repeat. */
  async terminate(): Promise<void> {
    const running = this.#running
    this.#running = undefined
    await running?.stop()
    await running?.ended
  }
}
