import type { Clock } from '../../core/clock.ts'
import { ShutdownError, errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logging.ts'
import type { RedisConnection } from '../../store/redis/index.ts'
import { ChangeHub } from '../change-hub.ts'
import type { PoolNews } from '../change.ts'
import { listOf, readChange } from './reply.ts'

export interface ChangeStreamOptions {
  readonly connection: RedisConnection
  /** The stream's key. */
  readonly key: string
  readonly clock: Clock
  readonly logger: Logger
}

/** How long one reading waits for news. */
const BLOCK_MS = 5000

/** How long the answer to that may take beyond it. */
const SLACK_MS = 10_000

/** How long to wait before a reading that failed is tried again. */
const PAUSE_MS = 200

/**
 * Tells this process what changed in the pool, whoever changed it: follows the stream that every transition writes to, on
 * a connection of its own that is opened for the first watcher. Nothing is missed by a lost connection; where the stream
 * was cut meanwhile, watchers are told of a gap.
 */
export class ChangeStream {
  readonly #options: ChangeStreamOptions
  readonly #hub = new ChangeHub()
  readonly #closing = new AbortController()
  #following: Promise<void> | undefined

  constructor(options: ChangeStreamOptions) {
    this.#options = options
  }

  /** Changes from the call on: what is asked of the connection after this call is seen. */
  watch(signal: AbortSignal): AsyncIterable<PoolNews> {
    const news = this.#hub.watch(AbortSignal.any([signal, this.#closing.signal]))
    // Asked before anything else on the same connection, so nothing that comes after it is missed.
    this.#following ??= this.#follow(this.#newest())
    return news
  }

  async close(): Promise<void> {
    this.#closing.abort(new ShutdownError('Watching the pool'))
    await this.#following
  }

  async #newest(): Promise<string | null> {
    const { connection, key } = this.#options
    const [entry] = listOf(await connection.ask(['XREVRANGE', key, '+', '-', 'COUNT', '1']))
    return entry === undefined ? '0-0' : String(listOf(entry)[0])
  }

  async #follow(newest: Promise<string | null>): Promise<void> {
    const { connection, key, clock, logger } = this.#options
    const { signal } = this.#closing
    let last = await newest.catch(() => null)
    if (signal.aborted) return
    await using own = connection.duplicate({ name: 'mainstay-pool-changes' })
    const stop = (): void => void own.close()
    signal.addEventListener('abort', stop, { once: true })
    while (!signal.aborted) {
      try {
        await own.whenReady({ timeoutMs: SLACK_MS, signal })
        if (last === null || (await this.#wasCut(own, last))) this.#hub.gap()
        last ??= await this.#newest()
        for (;;) last = await this.#read(own, key, last ?? '0-0')
      } catch (error) {
        if (signal.aborted) return
        logger.debug({ err: error }, `The changes of the pool cannot be followed: ${errorMessage(error)}`)
        await clock.sleep(PAUSE_MS, { signal }).catch(() => undefined)
      }
    }
  }

  /** @returns the id of the last entry seen */
  async #read(own: RedisConnection, key: string, last: string): Promise<string> {
    const command = ['XREAD', 'COUNT', '1000', 'BLOCK', String(BLOCK_MS), 'STREAMS', key, last]
    const reply = await own.ask(command, { timeoutMs: BLOCK_MS + SLACK_MS })
    const [stream] = listOf(reply)
    const entries = listOf(listOf(stream)[1])
    const changes = entries.map((entry) => {
      const [id, fields] = listOf(entry)
      return readChange(String(id), String(listOf(fields)[1]))
    })
    this.#hub.tell(changes)
    const newest = entries.at(-1)
    return newest === undefined ? last : String(listOf(newest)[0])
  }

  /** Whether entries after `last` are gone already. */
  async #wasCut(own: RedisConnection, last: string): Promise<boolean> {
    if (last === '0-0') return false
    const [oldest] = listOf(await own.ask(['XRANGE', this.#options.key, '-', '+', 'COUNT', '1']))
    if (oldest === undefined) return true
    return isBefore(last, String(listOf(oldest)[0]))
  }
}

/** Whether one id of a stream is before another. */
function isBefore(a: string, b: string): boolean {
  const [aMs = 0, aSeq = 0] = a.split('-').map(Number)
  const [bMs = 0, bSeq = 0] = b.split('-').map(Number)
  return aMs < bMs || (aMs === bMs && aSeq < bSeq)
}
