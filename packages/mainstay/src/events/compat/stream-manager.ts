import { SystemClock, type Clock } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import { SystemIds, type Ids } from '../../core/ids.ts'
import { silentLogger, type Logger } from '../../core/logging.ts'
import { formatZulu } from '../../core/timestamp.ts'
import { DEFAULT_FILTER_LIMITS, type FilterLimits } from '../filter/index.ts'
import { DEFAULT_HEARTBEAT_SOURCE } from '../format/compat.ts'
import { CLOSE } from '../hub/control-frame.ts'
import { Connection } from './connection.ts'
import type { FilterChanges } from './filter-lists.ts'
import { EventQueue } from './event-queue.ts'
import { heartbeatMessage, type EventMessage, type EventStamp } from './event-message.ts'
import { loopStarter, type LoopTask, type StartLoop } from './loop-task.ts'
import { notificationMessage } from './notification-message.ts'
import { SocketDisconnected, type Socket } from './socket.ts'

export interface StreamManagerOptions {
  readonly clock?: Clock
  readonly ids?: Ids
  readonly logger?: Logger
  readonly startLoop?: StartLoop
  readonly heartbeatSource?: string
  readonly filterLimits?: FilterLimits
  /** The most events that wait for the broadcaster; beyond it the oldest are dropped. */
  readonly maxWaiting?: number
  /** Unsent bytes at which a client is closed. */
  readonly hardLimitBytes?: number
  /** Unsent messages at which a client is closed. */
  readonly hardLimitMessages?: number
}

/**
 * The compatible stream of one process, without a log: whoever is connected gets what matches its filters, from now on.
 * The program serves its clients from the log instead; this class is for those who embed the stream, and follows the
 * reference step by step with the same rules for filters, messages and frames.
 *
 * No client is ever waited for: what a socket has not taken stays with the socket, and one that takes nothing is closed.
 *
 * Source: event-stream.md sections 3, 4, 5.
 */
export class StreamManager {
  readonly eventQueue = new EventQueue<EventMessage>()
  readonly #connections = new Map<Socket, Connection>()
  readonly #options: Required<StreamManagerOptions>
  readonly #stopping = new AbortController()
  #broadcaster: LoopTask | undefined

  constructor(options: StreamManagerOptions = {}) {
    const { clock = new SystemClock(), logger = silentLogger() } = options
    this.#options = {
      ids: new SystemIds(),
      startLoop: loopStarter({ clock, logger }),
      heartbeatSource: DEFAULT_HEARTBEAT_SOURCE,
      filterLimits: DEFAULT_FILTER_LIMITS,
      maxWaiting: 10_000,
      hardLimitBytes: 1024 * 1024,
      hardLimitMessages: 1024,
      ...options,
      clock,
      logger,
    }
  }

  get connections(): ReadonlyMap<Socket, Connection> {
    return this.#connections
  }

  /** Lets a client in, and sees to it that there is a broadcaster. @throws what `accept` throws; nothing is then kept */
  async connect(socket: Socket): Promise<void> {
    await socket.accept()
    this.register(socket)
    if (this.#broadcaster?.ended ?? true) {
      this.#broadcaster = this.#options.startLoop('broadcaster', async () => await this.runBroadcaster())
    }
  }

  /** Takes in a client whose handshake is done. It gets what is added from now on. */
  register(socket: Socket): Connection {
    if (this.#connections.size === 0) this.eventQueue.clear()
    const connection = new Connection(this.#options.filterLimits)
    this.#connections.set(socket, connection)
    this.#options.logger.info(`A client of the event stream came, ${this.#connections.size} in all`)
    return connection
  }

  /** Forgets a client; its socket is left as it is. */
  disconnect(socket: Socket): void {
    if (!this.#connections.delete(socket)) return
    this.#options.logger.info(`A client of the event stream went, ${this.#connections.size} in all`)
  }

  /** @throws InvalidFilterError; the filters are then as they were */
  updateFilters(socket: Socket, changes: FilterChanges): void {
    const connection = this.#connections.get(socket)
    if (connection === undefined) return
    connection.update(changes)
    const { eventFilters, nodeFilters, serviceFilters } = connection
    this.#options.logger.debug({ eventFilters, nodeFilters, serviceFilters }, 'A client changed its filters')
  }

  addEvent(event: EventMessage): void {
    if (this.eventQueue.size >= this.#options.maxWaiting) {
      this.eventQueue.shift()
      this.eventQueue.done()
    }
    this.eventQueue.put(event)
  }

  sendHeartbeat(): void {
    if (this.#connections.size === 0) return
    this.addEvent(heartbeatMessage(this.#options.heartbeatSource, this.#stamp()))
  }

  /** Takes in a notification. What is none is logged. */
  async broadcastEventFromNotification(eventType: string, payload: unknown): Promise<void> {
    const { logger } = this.#options
    try {
      const event = notificationMessage(eventType, payload, this.#stamp())
      this.addEvent(event)
      logger.debug({ eventType, waiting: this.eventQueue.size }, 'A notification is in the stream')
    } catch (error) {
      logger.error({ err: error, eventType }, `Error creating event from notification: ${errorMessage(error)}`)
    }
  }

  /** Sends what is added to whoever wants it, until {@link StreamManager.close}. */
  async runBroadcaster(signal: AbortSignal = this.#stopping.signal): Promise<void> {
    const { logger } = this.#options
    while (!signal.aborted) {
      try {
        const event = await this.eventQueue.take({ signal })
        this.eventQueue.done()
        if (event !== undefined && this.#connections.size > 0) this.#broadcast(event)
      } catch (error) {
        if (!signal.aborted) logger.error({ err: error }, `Error in the broadcaster: ${errorMessage(error)}`)
      }
    }
    logger.info('The broadcaster of the event stream stopped')
  }

  /** Ends the broadcaster. Sockets are left to whoever opened them. */
  async close(): Promise<void> {
    this.#stopping.abort()
    await this.#broadcaster?.wait({ timeoutMs: 5000 })
  }

  #broadcast(event: EventMessage): void {
    const text = event.toJson()
    let sent = 0
    for (const [socket, connection] of this.#connections) {
      if (!this.#isHeartbeat(event) && !connection.matches(event)) continue
      if (this.#isStuck(socket, connection)) {
        this.#drop(socket, CLOSE.SLOW_CONSUMER, 'too slow')
        continue
      }
      sent += 1
      connection.unsentMessages += 1
      Promise.try(() => socket.sendText(text)).then(
        () => (connection.unsentMessages -= 1),
        (error: unknown) => this.#sendFailed(socket, error),
      )
    }
    this.#options.logger.debug({ eventType: event.event_type, sent }, 'An event was sent')
  }

  #isStuck(socket: Socket, { unsentMessages }: Connection): boolean {
    const { hardLimitBytes, hardLimitMessages } = this.#options
    return socket.bufferedAmount > hardLimitBytes || unsentMessages >= hardLimitMessages
  }

  #isHeartbeat({ event_type: type, source }: EventMessage): boolean {
    return type === 'heartbeat' && source === this.#options.heartbeatSource
  }

  #sendFailed(socket: Socket, error: unknown): void {
    if (!(error instanceof SocketDisconnected)) {
      const text = `Error sending message to WebSocket: ${errorMessage(error)}`
      this.#options.logger.error({ err: error }, text)
    }
    this.#drop(socket, CLOSE.SERVER_ERROR, 'sending failed')
  }

  #drop(socket: Socket, code: number, reason: string): void {
    this.disconnect(socket)
    try {
      socket.close(code, reason)
    } catch (error) {
      this.#options.logger.debug({ err: error }, 'A socket was closed already')
    }
  }

  #stamp(): Required<EventStamp> {
    const { ids, clock } = this.#options
    return { id: ids.random(), timestamp: formatZulu(clock.now()) }
  }
}
