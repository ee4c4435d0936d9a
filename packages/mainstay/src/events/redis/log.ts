import type { Clock } from '../../core/clock.ts'
import { ShutdownError, errorMessage } from '../../core/errors.ts'
import type { Ids } from '../../core/ids.ts'
import type { Logger } from '../../core/logging.ts'
import { parseTimestamp } from '../../core/timestamp.ts'
import { RedisUnavailableError, type RedisConnection } from '../../store/redis/index.ts'
import { newEpoch } from '../epoch.ts'
import { EventLogUnavailableError } from '../errors.ts'
import type { Appended, EventLog, LogExtent, TailNews, TailPosition } from '../log.ts'
import { DEFAULT_REPEAT_WINDOW, DEFAULT_RETENTION, type RepeatWindow, type RetentionOptions } from '../retention.ts'
import { StoredEvent, storedText } from '../stored-event.ts'
import type { NewStreamEvent, StreamEvent } from '../stream-event.ts'
import { TailFeed } from '../tail-feed.ts'
import { LogCommands, type RedisEntry, type Seen } from './commands.ts'
import type { SeenFile } from './seen-file.ts'

export interface RedisEventLogOptions {
  /** The connection that commands go over; closed with the log. A second one like it is made for following. */
  readonly redis: RedisConnection
  readonly clock: Clock
  readonly ids: Ids
  readonly logger: Logger
  /** What all keys begin with; default `mainstay:events`. */
  readonly prefix?: string
  readonly retention?: RetentionOptions
  readonly repeats?: RepeatWindow
  /** How often the history is looked at while nothing comes, which is how soon its loss is noticed; default 1000. */
  readonly lookMs?: number
  /** Remembers across restarts what this node has seen; closed with the log. Without it that ends with the process. */
  readonly seenFile?: SeenFile
}

/** Entries that one read of the stream brings. */
const PAGE = 500
const TRIM_CHUNK = 500

/** How long a tail waits between two attempts to read while Redis is away. */
const RETRY_MS = 250

/** Histories that were left; a late answer about one of them is not news. */
const MAX_LEFT = 100

/**
 * The event log in a Redis stream, for any number of nodes.
 *
 *   unknown ──first look──▶ following ──connection lost──▶ away ──look──▶ following
 *                              └──another epoch seen──▶ following, in the new history
 *
 * Every node follows the stream by itself with a blocking read from its own position. What it appends itself it tells
 * its followers at once.
 *
 * Invariant: with every append and every look a node shows Redis the last event that it has seen. Where Redis does not
 * have it any more a new epoch begins in the same script, before anything is stored (R6), so no place of an epoch is
 * ever given to two events without somebody noticing.
 *
 * Source: event-stream.md R1 … R6, R8, R35.
 */
export class RedisEventLog implements EventLog {
  readonly #options: RedisEventLogOptions
  readonly #redis: RedisConnection
  readonly #following: RedisConnection
  readonly #commands: LogCommands
  readonly #feed = new TailFeed({ epoch: '', head: 0 })
  readonly #left = new Set<string>()
  readonly #closing = new AbortController()
  readonly #pending = new Set<Promise<unknown>>()
  readonly #running: Promise<void>
  /** What an earlier run of this node has seen: evidence until this one has seen something. */
  readonly #before: Seen
  /** The id of the event at the feed's head, empty where it is not known. */
  #headId = ''

  constructor(options: RedisEventLogOptions) {
    const { redis, prefix = 'mainstay:events' } = options
    this.#options = options
    this.#redis = redis
    this.#before = options.seenFile?.load() ?? { epoch: '', seq: 0, id: '' }
    this.#following = redis.duplicate()
    this.#commands = new LogCommands(redis, prefix)
    this.#running = this.#follow(new LogCommands(this.#following, prefix))
  }

  async append(batch: readonly NewStreamEvent[], { signal }: { signal?: AbortSignal } = {}): Promise<Appended> {
    signal?.throwIfAborted()
    this.#refuseClosed()
    if (batch.length === 0) return { events: [], duplicates: 0 }
    const now = this.#options.clock.now()
    const entries = batch.map((event) => ({
      text: storedText(event),
      sourceId: event.source_event_id,
      id: event.id,
      at: parseTimestamp(event.timestamp) ?? now,
    }))
    const context = { ...this.#evidence(), now, repeats: this.#options.repeats ?? DEFAULT_REPEAT_WINDOW }
    const { epoch, places } = await this.#ask(async () => await this.#commands.append(entries, context, { signal }))
    const events = places.flatMap((seq, index) =>
      seq === undefined ? [] : [new StoredEvent({ seq, epoch }, entries[index]!.text, batch[index])],
    )
    this.#appended(epoch, events)
    return { events, duplicates: batch.length - events.length }
  }

  async read({
    after,
    limit,
    signal,
  }: {
    after: number
    limit: number
    signal?: AbortSignal
  }): Promise<readonly StreamEvent[]> {
    if (limit <= 0) return []
    return await this.#events({ from: after + 1, to: 'end', limit }, signal)
  }

  async readBack({
    before,
    limit,
    signal,
  }: {
    before: number
    limit: number
    signal?: AbortSignal
  }): Promise<readonly StreamEvent[]> {
    if (limit <= 0 || before <= 1) return []
    return await this.#events({ from: before - 1, to: 'start', limit }, signal)
  }

  async find(id: string): Promise<StreamEvent | null> {
    const seq = await this.#ask(async () => await this.#commands.placeOf(id))
    if (seq === undefined) return null
    const [event] = await this.read({ after: seq - 1, limit: 1 })
    return event?.id === id ? event : null
  }

  async seqBefore({ epochMs }: { epochMs: number }): Promise<number> {
    return await this.#ask(async () => await this.#commands.seqBefore(epochMs))
  }

  async extent(): Promise<LogExtent> {
    return await this.#ask(async () => await this.#look(this.#commands))
  }

  tail(from: TailPosition, { signal }: { signal: AbortSignal }): AsyncIterable<TailNews> {
    const stop = AbortSignal.any([signal, this.#closing.signal])
    const source = {
      read: async (query: { after: number; limit: number }) =>
        await this.#patiently(stop, async () => await this.read({ ...query, signal: stop })),
      extent: async () => await this.#patiently(stop, async () => await this.extent()),
    }
    return this.#feed.follow(from, source, stop)
  }

  async trim(): Promise<number> {
    const { clock, retention = DEFAULT_RETENTION } = this.#options
    for (let dropped = 0; ;) {
      const rules = { now: clock.now(), retention, chunk: TRIM_CHUNK }
      const count = await this.#ask(async () => await this.#commands.trim(rules))
      dropped += count
      if (count < TRIM_CHUNK) return dropped
    }
  }

  async close(): Promise<void> {
    this.#closing.abort(new ShutdownError('The event log'))
    this.#feed.close()
    await Promise.allSettled(this.#pending)
    await Promise.all([this.#redis.close(), this.#following.close()])
    await this.#running
    await this.#options.seenFile?.[Symbol.asyncDispose]()
  }

  async #follow(commands: LogCommands): Promise<void> {
    const { signal } = this.#closing
    const { clock, logger, lookMs = 1000 } = this.#options
    while (!signal.aborted) {
      try {
        await this.#following.whenReady({ timeoutMs: 60_000, signal })
        await this.#look(commands)
        while (!signal.aborted) {
          const place = { after: this.#feed.head, limit: PAGE, blockMs: lookMs }
          const entries = await commands.follow(place, { signal, timeoutMs: lookMs + 10_000 })
          if (!this.#take(entries)) await this.#look(commands)
        }
      } catch (error) {
        if (signal.aborted) return
        if (error instanceof RedisUnavailableError) continue
        logger.error({ err: error }, `Following the event log failed and begins again: ${errorMessage(error)}`)
        await clock.sleep(1000, { signal }).catch(() => undefined)
      }
    }
  }

  /** @returns false when there was nothing, or something of another history, so that a look is due */
  #take(entries: readonly RedisEntry[]): boolean {
    const { epoch, head } = this.#feed
    if (entries.length === 0 || entries.some((entry) => entry.epoch !== epoch)) return false
    const fresh = entries.filter(({ seq }) => seq > head)
    const [next] = fresh
    if (next?.seq === head + 1 && this.#headId !== '' && next.before !== this.#headId) return false
    this.#headId = fresh.at(-1)?.id ?? this.#headId
    this.#feed.announce(fresh.map(({ seq, text }) => new StoredEvent({ seq, epoch }, text)))
    this.#remember()
    return true
  }

  #appended(epoch: string, events: readonly StoredEvent[]): void {
    const [first] = events
    const last = events.at(-1)
    if (first === undefined || last === undefined) return
    if (epoch === this.#feed.epoch && first.seq === this.#feed.head + 1) {
      this.#headId = last.id
      this.#feed.announce(events)
      this.#remember()
    } else {
      this.#learn({ epoch, head: last.seq, headId: last.id })
    }
  }

  async #look(commands: LogCommands): Promise<LogExtent> {
    const { epoch, oldest, head, headId } = await commands.extent(this.#evidence())
    this.#learn({ epoch, head, headId })
    return { epoch, oldest, head }
  }

  #learn({ epoch, head, headId }: { epoch: string; head: number; headId: string }): void {
    const known = this.#feed.epoch
    if (epoch === known) {
      if (head <= this.#feed.head) return
      this.#headId = headId
      this.#feed.advance(head)
      this.#remember()
      return
    }
    if (this.#left.has(epoch)) return
    if (known !== '') {
      this.#left.add(known)
      if (this.#left.size > MAX_LEFT) this.#left.delete(this.#left.values().next().value!)
      this.#options.logger.warn({ epoch, before: known }, 'The event log lost its history: a new epoch begins.')
    }
    this.#headId = headId
    this.#feed.restart({ epoch, head })
    this.#remember()
  }

  #remember(): void {
    this.#options.seenFile?.note(this.#seen)
  }

  get #seen(): Seen {
    return { epoch: this.#feed.epoch, seq: this.#feed.head, id: this.#headId }
  }

  #evidence(): { seen: Seen; newEpoch: string } {
    const seen = this.#feed.epoch === '' ? this.#before : this.#seen
    return { seen, newEpoch: newEpoch(this.#options.ids) }
  }

  async #events(
    place: { from: number; to: 'start' | 'end'; limit: number },
    signal: AbortSignal | undefined,
  ): Promise<StoredEvent[]> {
    signal?.throwIfAborted()
    if (place.from > Number.MAX_SAFE_INTEGER && place.to === 'end') return []
    const { epoch, entries } = await this.#ask(async () => await this.#commands.read(place, { signal }))
    return entries.map(({ seq, text }) => new StoredEvent({ seq, epoch }, text))
  }

  /** Asks Redis, in the terms of the port: `EventLogUnavailableError` when it is away. */
  async #ask<T>(work: () => Promise<T>): Promise<T> {
    this.#refuseClosed()
    const asked = work()
    this.#pending.add(asked)
    try {
      return await asked
    } catch (error) {
      if (!(error instanceof RedisUnavailableError)) throw error
      throw new EventLogUnavailableError(`The event log is away: ${error.message}`, { cause: error })
    } finally {
      this.#pending.delete(asked)
    }
  }

  /** Tries again for as long as Redis is away. */
  async #patiently<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work()
      } catch (error) {
        if (!(error instanceof EventLogUnavailableError)) throw error
        await this.#options.clock.sleep(RETRY_MS, { signal })
      }
    }
  }

  #refuseClosed(): void {
    if (this.#closing.signal.aborted) throw new ShutdownError('The event log')
  }
}
