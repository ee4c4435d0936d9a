import { ErrorReply, createClient } from '@redis/client'

import type { Clock } from '../../core/clock.ts'
import { withDeadline } from '../../core/deadline.ts'
import { InvalidInputError, ShutdownError, TimeoutError, errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logging.ts'
import { maskUrl } from '../../core/logging.ts'
import type { Random } from '../../core/random.ts'
import { RedisUnavailableError } from './errors.ts'
import { explainRedisError } from './explain-error.ts'
import { reconnectPauseMs } from './reconnect-pause.ts'
import type { RedisScript } from './script.ts'

export interface RedisOptions {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** `redis://` or `rediss://`, `user:password@host:port/db`; wins over `host`, `port` and `db`. */
  readonly url?: string | undefined
  /** Default `127.0.0.1`. */
  readonly host?: string | undefined
  /** Default 6379. */
  readonly port?: number | undefined
  /** Default 0. */
  readonly db?: number | undefined
  /** How the connection is called in `CLIENT LIST`; default `mainstay`. */
  readonly name?: string | undefined
  /** How long connecting, greeting included, may take; default 10,000. */
  readonly connectTimeoutMs?: number | undefined
  /** How long Redis may take to answer; default 10,000. A connection on which it takes longer is given up. */
  readonly commandTimeoutMs?: number | undefined
  /** See `reconnectPauseMs`; default 500. */
  readonly reconnectMinMs?: number | undefined
  /** See `reconnectPauseMs`; default 30,000. */
  readonly reconnectMaxMs?: number | undefined
  /** How long a connection must hold before the pauses begin again from the shortest; default 30,000. */
  readonly healthyAfterMs?: number | undefined
}

/** What a command may be made of. */
export type RedisArgument = string | Buffer

/** What Redis answers (RESP 2). */
export type RedisReply = string | number | null | readonly RedisReply[]

export interface AskOptions {
  readonly signal?: AbortSignal | undefined
  /** How long the answer may take; that of the connection unless given. A blocking command needs more. */
  readonly timeoutMs?: number | undefined
}

type Client = ReturnType<typeof newClient>

/**
 * Opens a connection to a Redis or Valkey server; returns at once and connects in the background.
 *
 * @throws InvalidInputError when the URL is none of Redis
 */
export function openRedis(options: RedisOptions): RedisConnection {
  const { url = '' } = options
  if (url !== '' && !/^rediss?:\/\/[^/\s]+(?:\/\d*)?$/.test(url)) {
    throw new InvalidInputError(
      `${maskUrl(url)} is not the URL of a Redis server: write redis://user:password@host:port/db, or rediss:// for TLS.`,
    )
  }
  return new RedisConnection(options)
}

/**
 * One connection to a Redis server, for as long as the process wants it. This is the only file that knows
 * `@redis/client`.
 *
 *   connecting ──▶ ready ──lost, or an answer is late──▶ pausing ──▶ connecting
 *       └──────────failed─────────────────────────────────▲
 *   any ──close──▶ closed
 *
 * Commands are sent in the order in which they are asked for. While there is no connection they fail at once instead
 * of waiting: what to do meanwhile is for the caller to say. A command whose answer did not come may have been carried
 * out.
 *
 * Source: event-stream.md R8 (pauses) and 7.1 (time limit).
 */
export class RedisConnection implements AsyncDisposable {
  readonly #options: RedisOptions
  readonly #commandTimeoutMs: number
  readonly #closing = new AbortController()
  readonly #running: Promise<void>
  readonly #listeners = new Set<(ready: boolean) => void>()
  #client: Client | undefined
  #lose: ((reason: Error) => void) | undefined
  #failure = 'not connected yet'

  constructor(options: RedisOptions) {
    this.#options = options
    this.#commandTimeoutMs = options.commandTimeoutMs ?? 10_000
    this.#running = this.#run()
  }

  /** Where the server is, without its password. */
  get address(): string {
    const { url, host = '127.0.0.1', port = 6379 } = this.#options
    return url === undefined || url === '' ? `${host}:${port}` : maskUrl(url)
  }

  get ready(): boolean {
    return this.#client !== undefined
  }

  /** Calls `listener` at every gain (true) and loss (false) of the connection. */
  onChange(listener: (ready: boolean) => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  /** Waits for the connection. @throws RedisUnavailableError after `timeoutMs`, ShutdownError, the signal's reason */
  async whenReady({ timeoutMs, signal }: { timeoutMs: number; signal?: AbortSignal | undefined }): Promise<void> {
    if (this.ready) return
    const ready = Promise.withResolvers<void>()
    using _listening = this.onChange((now) => now && ready.resolve())
    const stop = signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal])
    try {
      const bounds = { clock: this.#options.clock, what: `Connecting to Redis`, timeoutMs, signal: stop }
      await withDeadline(bounds, async () => await ready.promise)
    } catch (error) {
      throw error instanceof TimeoutError ? this.#unavailable(error) : error
    }
  }

  /**
   * Sends one command.
   *
   * @throws RedisUnavailableError, RedisReplyError, ShutdownError, the signal's reason
   */
  async ask(command: readonly RedisArgument[], options: AskOptions = {}): Promise<RedisReply> {
    return await this.#ask(String(command[0]), options, async (client) => await client.sendCommand<RedisReply>(command))
  }

  /**
   * Runs a script; Redis is sent its source once.
   *
   * @throws as {@link RedisConnection.ask}
   */
  async runScript(
    script: RedisScript,
    keys: readonly string[],
    values: readonly RedisArgument[],
    options: AskOptions = {},
  ): Promise<RedisReply> {
    const rest = [String(keys.length), ...keys, ...values]
    return await this.#ask(script.name, options, async (client) => {
      try {
        return await client.sendCommand<RedisReply>(['EVALSHA', script.sha1, ...rest])
      } catch (error) {
        if (!(error instanceof ErrorReply) || !error.message.startsWith('NOSCRIPT')) throw error
        return await client.sendCommand<RedisReply>(['EVAL', script.source, ...rest])
      }
    })
  }

  /**
   * Hears what is published on a channel from now on, as long as this connection holds; a new one starts with no channel
   * (`subscribeTo` goes on hearing). Nothing else can be asked on a connection that hears: use a duplicate.
   *
   * @throws as {@link RedisConnection.ask}
   */
  async hear(channel: string, listener: (message: string) => void): Promise<void> {
    await this.#ask('SUBSCRIBE', {}, async (client) => {
      await client.subscribe(channel, listener)
      return null
    })
  }

  /** Another connection to the same server, for commands that block. */
  duplicate(options: Partial<RedisOptions> = {}): RedisConnection {
    return new RedisConnection({ ...this.#options, ...options })
  }

  /** Gives the connection up; another one is made. */
  drop(reason: Error): void {
    this.#lose?.(reason)
  }

  async close(): Promise<void> {
    this.#closing.abort(new ShutdownError('Talking to Redis'))
    await this.#running
    this.#listeners.clear()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #ask(
    what: string,
    { signal, timeoutMs = this.#commandTimeoutMs }: AskOptions,
    send: (client: Client) => Promise<RedisReply>,
  ): Promise<RedisReply> {
    const client = this.#client
    this.#closing.signal.throwIfAborted()
    if (client === undefined) throw this.#unavailable()
    try {
      const bounds = { clock: this.#options.clock, what: `${what} of Redis`, timeoutMs, signal }
      return await withDeadline(bounds, async () => await send(client))
    } catch (error) {
      signal?.throwIfAborted()
      this.#closing.signal.throwIfAborted()
      if (error instanceof TimeoutError) {
        this.drop(error)
        throw this.#unavailable(error)
      }
      throw explainRedisError(error, { address: this.address, what })
    }
  }

  #unavailable(cause?: Error): RedisUnavailableError {
    const reason = cause === undefined ? this.#failure : errorMessage(cause)
    return new RedisUnavailableError(
      `Redis at ${this.address} cannot be reached (${maskUrl(reason)}). ` +
        'It is tried again by itself; see that it runs and that the configured address is right.',
      { cause },
    )
  }

  async #run(): Promise<void> {
    const {
      clock,
      random,
      logger,
      healthyAfterMs = 30_000,
      reconnectMinMs = 500,
      reconnectMaxMs = 30_000,
    } = this.#options
    const { signal } = this.#closing
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      const since = await this.#connectOnce()
      if (signal.aborted) return
      if (since !== undefined && clock.monotonic() - since >= healthyAfterMs) attempt = 0
      const level = since === undefined && attempt > 0 ? 'debug' : 'warn'
      logger[level]({ redis: this.address }, `Redis at ${this.address} is away: ${maskUrl(this.#failure)}`)
      const pauseMs = reconnectPauseMs(attempt, random.next(), { reconnectMinMs, reconnectMaxMs })
      await clock.sleep(pauseMs, { signal }).catch(stoppedWaiting(signal))
    }
  }

  /** Connects and waits until the connection is lost. @returns since when it was ready, undefined when it never was */
  async #connectOnce(): Promise<number | undefined> {
    const { clock, connectTimeoutMs = 10_000 } = this.#options
    const { signal } = this.#closing
    const lost = Promise.withResolvers<Error>()
    let since: number | undefined
    let client: Client | undefined
    const stop = (): void => lost.resolve(signal.reason as Error)
    signal.addEventListener('abort', stop, { once: true })
    try {
      const connecting = (client = newClient(this.#options, connectTimeoutMs))
      client.on('error', (error: Error) => lost.resolve(error))
      const bounds = { clock, what: 'Connecting', timeoutMs: connectTimeoutMs, signal }
      await withDeadline(bounds, async () => void (await connecting.connect()))
      since = clock.monotonic()
      this.#lose = lost.resolve
      this.#change(client)
      this.#failure = errorMessage(await lost.promise)
    } catch (error) {
      this.#failure = errorMessage(error)
    } finally {
      this.#lose = undefined
      signal.removeEventListener('abort', stop)
      client?.destroy()
      if (this.#client !== undefined) this.#change(undefined)
    }
    return since
  }

  #change(client: Client | undefined): void {
    this.#client = client
    const { logger } = this.#options
    if (client !== undefined) logger.info({ redis: this.address }, `Connected to Redis at ${this.address}`)
    for (const listener of this.#listeners) listener(client !== undefined)
  }
}

function newClient({ url, host, port, db, name = 'mainstay' }: RedisOptions, connectTimeoutMs: number) {
  const socket = { connectTimeout: connectTimeoutMs, reconnectStrategy: false } as const
  const target =
    url === undefined || url === ''
      ? { socket: { ...socket, host: host ?? '127.0.0.1', port: port ?? 6379 }, database: db ?? 0 }
      : { url, socket }
  return createClient({
    ...target,
    name,
    RESP: 2,
    disableOfflineQueue: true,
    disableClientInfo: true,
    maintNotifications: 'disabled',
    // Time limits are set here, for answers too and not only for what was not sent yet.
    commandOptions: { timeout: 0 },
  })
}

/** A wait that was ended by the closing is over; anything else is a defect. */
function stoppedWaiting(signal: AbortSignal): (error: unknown) => void {
  return (error) => {
    if (!signal.aborted) throw error
  }
}
