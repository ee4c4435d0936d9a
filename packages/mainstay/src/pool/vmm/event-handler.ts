import type { Clock } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logging.ts'
import type { RedisScript } from '../../store/redis/index.ts'
import { tooManyCheckFails } from '../rules/check-failures.ts'
import type { VmDescriptor } from './descriptor.ts'
import { RuntimeError, VmDescriptorNotFound, VmError } from './errors.ts'
import type { VmManager } from './manager.ts'
import { readBusMessage, type BusMessage } from './messages.ts'
import { groupOptions, type VmmOptions } from './options.ts'
import { Recycler } from './recycler.ts'
import type { BusItem, VmmRedis } from './redis.ts'
import { SCRIPTS } from './scripts.ts'
import type { Terminator } from './terminator.ts'

export interface EventHandlerDependencies {
  readonly manager: VmManager
  readonly terminator: Pick<Terminator, 'terminateVm' | 'recycle' | 'terminate'>
  readonly redis: VmmRedis
  readonly clock: Clock
  readonly logger: Logger
}

/** The two scripts that carry out the result of a check. */
interface ResultScripts {
  readonly onHealthCheckSuccess: RedisScript
  readonly recordFailure: RedisScript
}

/**
 * Hears the pool's bus and does what the messages ask for. A message that cannot be handled is logged, and the next one is
 * taken: nothing that somebody sends ends the listening.
 *
 * Source: vm-pool.md A9.
 */
export class EventHandler {
  killReceived = false
  readonly #options: VmmOptions
  readonly #manager: VmManager
  readonly #terminator: EventHandlerDependencies['terminator']
  readonly #redis: VmmRedis
  readonly #logger: Logger
  readonly #recycler: Recycler
  readonly #stopping = new AbortController()
  #scripts: ResultScripts | undefined

  constructor(options: VmmOptions, { manager, terminator, redis, clock, logger }: EventHandlerDependencies) {
    this.#options = options
    this.#manager = manager
    this.#terminator = terminator
    this.#redis = redis
    this.#logger = logger
    this.#recycler = new Recycler({ clock, logger, periodMs: options.recyclePeriod * 1000, target: terminator })
  }

  /** The scripts that {@link EventHandler.postInit} made known to Redis. */
  get scripts(): ResultScripts | undefined {
    return this.#scripts
  }

  async postInit(): Promise<void> {
    const { onHealthCheckSuccess, recordFailure } = SCRIPTS
    await Promise.all([this.#redis.load(onHealthCheckSuccess), this.#redis.load(recordFailure)])
    this.#scripts = { onHealthCheckSuccess, recordFailure }
  }

  /**
   * Subscribes to the bus and starts the recycler.
   *
   * @returns once nothing that is published is missed any more; `ended` settles when the listening has ended
   */
  async start(): Promise<{ readonly ended: Promise<void> }> {
    const items = await this.#redis.subscribe(this.#manager.keys.bus, { signal: this.#stopping.signal })
    return { ended: this.run(items) }
  }

  /** Starts the recycler and handles what comes, until it is told to stop. */
  async run(items: AsyncIterable<BusItem>): Promise<void> {
    this.#recycler.start()
    try {
      await this.listen(items)
    } finally {
      await this.#recycler.stop()
    }
  }

  /** Tells it to stop, and waits for the recycler's end. */
  async terminate(): Promise<void> {
    this.killReceived = true
    this.#stopping.abort()
    await this.#recycler.stop()
  }

  /** Handles items until there are no more or it is told to stop. */
  async listen(items: AsyncIterable<unknown>): Promise<void> {
    for await (const item of items) {
      if (this.killReceived) return
      const data = messageText(item)
      if (data === undefined) continue
      try {
        await this.handle(readBusMessage(data))
      } catch (error) {
        this.#logger.error(
          { item: data.slice(0, 2000), err: error },
          `A message to the pool failed: ${errorMessage(error)}`,
        )
      }
    }
  }

  /** Does what one message asks for. @throws whatever the deed throws */
  async handle(message: BusMessage): Promise<void> {
    switch (message.topic) {
      case 'vm_spawned':
        await this.onVmSpawned(message)
        return
      case 'vm_termination_request':
        await this.#terminator.terminateVm(message.vm_ip, message.vm_name, message.group)
        return
      case 'vm_terminated':
        await this.#onTerminated(message)
        return
      case 'health_check':
        await this.#onHealthCheck(message)
    }
  }

  async onVmSpawned({ vm_ip: ip, vm_name: name, group }: BusMessage & { topic: 'vm_spawned' }): Promise<void> {
    if (!this.#manager.vmGroups.includes(group)) {
      throw new VmError(`Machine ${name} was spawned for group ${group}, which does not exist: it stays an orphan.`)
    }
    await this.#manager.addVmToPool(ip, name, group)
  }

  async #onTerminated({ vm_name: name, result, msg }: BusMessage & { topic: 'vm_terminated' }): Promise<void> {
    if (result !== 'OK') this.#logger.warn({ vm: name, msg }, 'the end of a machine failed; it is asked for again')
    else if (name === undefined) this.#logger.warn('a machine without a name has ended')
    else await this.#manager.removeVmFromPool(name)
  }

  async #onHealthCheck({ vm_name: name, result, msg }: BusMessage & { topic: 'health_check' }): Promise<void> {
    const scripts = this.#scripts
    if (scripts === undefined) throw new RuntimeError('The event handler was not initialised: call postInit first.')
    const vm = await this.#find(name)
    if (vm === null) return
    if (result === 'OK') {
      await this.#redis.run(scripts.onHealthCheckSuccess, [vm.vmKey], [])
      return
    }
    const fails = await this.#redis.run(scripts.recordFailure, [vm.vmKey], [])
    this.#logger.info({ vm: name, fails, msg }, 'a health check failed')
    const { vmMaxCheckFails } = groupOptions(this.#options, vm.group)
    // Nothing recorded, nothing judged: a late failure must not end a machine that was not being checked.
    if (fails !== null && tooManyCheckFails(Number(fails), vmMaxCheckFails))
      await this.#manager.startVmTermination(name)
  }

  async #find(name: string): Promise<VmDescriptor | null> {
    try {
      return await this.#manager.getVmByName(name)
    } catch (error) {
      if (error instanceof VmDescriptorNotFound) return null
      throw error
    }
  }
}

/** The text of an item that brings a message. */
function messageText(item: unknown): string | undefined {
  if (typeof item !== 'object' || item === null) return undefined
  const { type, data } = item as { type?: unknown; data?: unknown }
  return type === 'message' && typeof data === 'string' ? data : undefined
}
