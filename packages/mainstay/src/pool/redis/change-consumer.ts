import type { Clock } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logging.ts'
import type { RedisConnection, RedisReply } from '../../store/redis/index.ts'
import type { PoolChange } from '../change.ts'
import { listOf, readChange } from './reply.ts'
import { DEFAULT_POOL_PREFIX } from './store.ts'

export interface ConsumeOptions {
  /** Names the server; a connection of its own is opened. */
  readonly connection: RedisConnection
  readonly clock: Clock
  readonly logger: Logger
  readonly prefix?: string
  /** Consumers of one group share the changes; every group gets all of them. */
  readonly group: string
  /** Unique in the group; the same one again after a restart goes on with what it had. */
  readonly consumer: string
  /** Has done its part when it returns; until then the change is delivered again. */
  readonly handle: (change: PoolChange) => Promise<void>
  readonly signal: AbortSignal
  /** After so many milliseconds a change that nobody acknowledged is given to another consumer; default 30,000. */
  readonly reclaimMs?: number
  /** A change whose handling failed so often is moved aside; default 5. */
  readonly attempts?: number
}

interface Entry {
  readonly id: string
  readonly json: string
}

const BLOCK_MS = 1000
const SLACK_MS = 10_000
const PAUSE_MS = 200
const BATCH = '100'

/**
 * Hands every change of the pool to a group of consumers, each to one of them, until the signal is aborted.
 *
 *   new ──delivered──▶ pending ──handled──▶ acknowledged
 *                       │    ▲
 *                       │    └── failed, or its consumer died: delivered again after `reclaimMs`
 *                       └── failed `attempts` times: moved to the stream `…:poison`, with the reason
 *
 * At least once: a consumer that dies after handling and before acknowledging makes a repeat, with the same `id`. The
 * first consumer of a group begins with the oldest change that is kept.
 *
 * Source: vm-pool.md C6.
 */
export async function consumeChanges(options: ConsumeOptions): Promise<void> {
  const { connection, clock, logger, signal } = options
  await using own = connection.duplicate({ name: `mainstay-pool-${options.group}` })
  const stop = (): void => void own.close()
  signal.addEventListener('abort', stop, { once: true })
  const consumer = new ChangeConsumer(own, options)
  while (!signal.aborted) {
    try {
      await own.whenReady({ timeoutMs: SLACK_MS, signal })
      await consumer.join()
      for (;;) await consumer.turn()
    } catch (error) {
      if (signal.aborted) break
      logger.debug({ err: error }, `Changes of the pool cannot be consumed: ${errorMessage(error)}`)
      await clock.sleep(PAUSE_MS, { signal }).catch(() => undefined)
    }
  }
  signal.removeEventListener('abort', stop)
}

class ChangeConsumer {
  readonly #redis: RedisConnection
  readonly #key: string
  readonly #options: ConsumeOptions

  constructor(redis: RedisConnection, options: ConsumeOptions) {
    this.#redis = redis
    this.#options = options
    this.#key = `${options.prefix ?? DEFAULT_POOL_PREFIX}n:changes`
  }

  /** Makes the group if there is none, and goes on with what this consumer had when it ended. */
  async join(): Promise<void> {
    const { group } = this.#options
    const groups = listOf(await this.#exists())
    if (!groups.some((each) => listOf(each)[1] === group)) {
      await this.#redis.ask(['XGROUP', 'CREATE', this.#key, group, '0', 'MKSTREAM']).catch(unlessThere)
    }
    for (const entry of await this.#read('0')) await this.#handle(entry)
  }

  /** What others left behind, then what is new; waits a little when there is nothing. */
  async turn(): Promise<void> {
    const { group, consumer, reclaimMs = 30_000 } = this.#options
    const claim = ['XAUTOCLAIM', this.#key, group, consumer, String(reclaimMs), '0-0', 'COUNT', BATCH]
    const [, claimed] = listOf(await this.#redis.ask(claim))
    for (const entry of entriesOf(claimed)) await this.#handle(entry)
    for (const entry of await this.#read('>')) await this.#handle(entry)
  }

  async #exists(): Promise<RedisReply> {
    if ((await this.#redis.ask(['EXISTS', this.#key])) === 0) return []
    return await this.#redis.ask(['XINFO', 'GROUPS', this.#key])
  }

  async #read(from: '0' | '>'): Promise<Entry[]> {
    const { group, consumer, reclaimMs = 30_000 } = this.#options
    const wait = from === '>' ? ['BLOCK', String(Math.min(BLOCK_MS, reclaimMs))] : []
    const command = ['XREADGROUP', 'GROUP', group, consumer, 'COUNT', BATCH, ...wait, 'STREAMS', this.#key, from]
    const [stream] = listOf(await this.#redis.ask(command, { timeoutMs: BLOCK_MS + SLACK_MS }))
    return entriesOf(listOf(stream)[1])
  }

  async #handle({ id, json }: Entry): Promise<void> {
    const { group, handle, signal, logger } = this.#options
    signal.throwIfAborted()
    try {
      await handle(readChange(id, json))
    } catch (error) {
      signal.throwIfAborted()
      logger.warn({ change: id, err: error }, `A change of the pool could not be handled: ${errorMessage(error)}`)
      await this.#failed({ id, json }, error)
      return
    }
    await this.#redis.ask(['XACK', this.#key, group, id])
  }

  async #failed({ id, json }: Entry, error: unknown): Promise<void> {
    const { group, attempts = 5, logger } = this.#options
    const [pending] = listOf(await this.#redis.ask(['XPENDING', this.#key, group, id, id, '1']))
    const delivered = Number(listOf(pending)[3] ?? 0)
    if (delivered < attempts) return
    const why = ['from', id, 'group', group, 'reason', errorMessage(error)]
    await this.#redis.ask(['XADD', `${this.#key}:poison`, 'MAXLEN', '~', '1000', '*', 'c', json, ...why])
    await this.#redis.ask(['XACK', this.#key, group, id])
    logger.error({ change: id, err: error }, `A change of the pool was moved aside after ${delivered} attempts.`)
  }
}

/** Another consumer may have made the group in the meantime. */
function unlessThere(error: unknown): void {
  if (!errorMessage(error).includes('BUSYGROUP')) throw error
}

/** Entries with their text; one that was cut from the stream meanwhile has none. */
function entriesOf(list: unknown): Entry[] {
  return listOf(list).flatMap((entry) => {
    const [id, fields] = listOf(entry)
    const json = listOf(fields)[1]
    return typeof id === 'string' && typeof json === 'string' ? { id, json } : []
  })
}
