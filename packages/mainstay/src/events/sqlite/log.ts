import type { Clock } from '../../core/clock.ts'
import { MainstayError, ShutdownError } from '../../core/errors.ts'
import type { Ids } from '../../core/ids.ts'
import type { Logger } from '../../core/logging.ts'
import { SystemRandom } from '../../core/random.ts'
import { nextTurn } from '../../core/turn.ts'
import { StoreCorruptError, StoreSchemaError } from '../../store/errors.ts'
import { SqliteConnection } from '../../store/sqlite/connection.ts'
import { newEpoch } from '../epoch.ts'
import { EventLogUnavailableError } from '../errors.ts'
import type { Appended, EventLog, LogExtent, TailNews, TailPosition } from '../log.ts'
import {
  DEFAULT_REPEAT_WINDOW,
  DEFAULT_RETENTION,
  firstTakenIn,
  type RepeatWindow,
  type RetentionOptions,
} from '../retention.ts'
import type { StoredEvent } from '../stored-event.ts'
import type { NewStreamEvent, StreamEvent } from '../stream-event.ts'
import { TailFeed } from '../tail-feed.ts'
import { bootId } from './boot-id.ts'
import { EventRows } from './rows.ts'
import { FORMAT, openTables, saveState, type LogState } from './tables.ts'
import { trimTables } from './trim.ts'
import { WalFlusher } from './wal-flusher.ts'

export interface SqliteEventLogOptions {
  /** The database file; its directory must exist. */
  readonly path: string
  readonly clock: Clock
  readonly ids: Ids
  readonly logger: Logger
  readonly retention?: RetentionOptions
  readonly repeats?: RepeatWindow
  /**
   * When commits reach the disk: `always` before `append` returns; `interval` within `fsyncIntervalMs`, so that a power
   * cut (not a crash of the process) may take the last moments; `off` when the operating system likes.
   */
  readonly fsync?: 'always' | 'interval' | 'off'
  readonly fsyncIntervalMs?: number
  /** The most events of one commit; a batch is never split. */
  readonly maxCommitEvents?: number
}

interface Waiting {
  readonly batch: readonly NewStreamEvent[]
  readonly signal: AbortSignal | undefined
  readonly done: PromiseWithResolvers<Appended>
}

/** Pages of the write-ahead log after which SQLite moves them into the file. */
const CHECKPOINT_PAGES = 1000

/**
 * The event log in a SQLite file of its own, for one process.
 *
 * Batches that are asked for in the same turn of the event loop share a commit. The file is this process's alone for
 * as long as it is open, so what the log knows of itself is held in memory and true.
 *
 * Invariant: `#state` is what the last commit wrote; a commit that fails changes neither the file nor it. When the
 * machine went down while commits were not flushed one by one, the tail may be lost, so a new epoch begins (R6).
 *
 * Source: event-stream.md R1 … R6.
 */
export class SqliteEventLog implements EventLog {
  readonly #connection: SqliteConnection
  readonly #options: SqliteEventLogOptions
  readonly #flusher: WalFlusher | undefined
  readonly #rows: EventRows
  readonly #feed: TailFeed
  readonly #repeats: RepeatWindow
  #state: LogState
  #queue: Waiting[] = []
  #running: Promise<void> | undefined
  #closed: Promise<void> | undefined

  private constructor(connection: SqliteConnection, rows: EventRows, state: LogState, options: SqliteEventLogOptions) {
    this.#connection = connection
    this.#rows = rows
    this.#state = state
    this.#options = options
    this.#repeats = options.repeats ?? DEFAULT_REPEAT_WINDOW
    this.#feed = new TailFeed(state)
    const { path, clock, logger, fsync = 'interval', fsyncIntervalMs: intervalMs = 100 } = options
    this.#flusher = fsync === 'interval' ? new WalFlusher(path, { clock, logger, intervalMs }) : undefined
  }

  /** @throws StoreUnavailableError (also when another process has it), StoreFullError, StoreCorruptError, StoreSchemaError */
  static async open(options: SqliteEventLogOptions): Promise<SqliteEventLog> {
    const { path, fsync = 'interval' } = options
    const connection = new SqliteConnection({ path, busyTimeoutMs: 1000 })
    try {
      connection.exec(`pragma locking_mode = exclusive; pragma wal_autocheckpoint = ${CHECKPOINT_PAGES}`)
      const state = begin(connection, options)
      connection.exec(`pragma synchronous = ${{ always: 'full', interval: 'normal', off: 'off' }[fsync]}`)
      return new SqliteEventLog(connection, await EventRows.open(connection, new SystemRandom()), state, options)
    } catch (error) {
      connection.close()
      throw error
    }
  }

  async append(batch: readonly NewStreamEvent[], { signal }: { signal?: AbortSignal } = {}): Promise<Appended> {
    signal?.throwIfAborted()
    this.#refuseClosed()
    const done = Promise.withResolvers<Appended>()
    this.#queue.push({ batch, signal, done })
    this.#running ??= this.#commitAll()
    return await done.promise
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
    signal?.throwIfAborted()
    return this.#events('seq > ? order by seq limit ?', [after, limit])
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
    signal?.throwIfAborted()
    return this.#events('seq < ? order by seq desc limit ?', [before, limit])
  }

  async find(id: string): Promise<StreamEvent | null> {
    const seq = this.#rows.placeOf(id, this.#state.oldest)
    if (seq === undefined) return null
    return this.#events('seq = ?', [seq])[0] ?? null
  }

  async seqBefore({ epochMs }: { epochMs: number }): Promise<number> {
    return (await firstTakenIn(this.#state, epochMs, (seq) => this.#rows.takenInAt(seq))) - 1
  }

  async extent(): Promise<LogExtent> {
    const { epoch, oldest, head } = this.#state
    return { epoch, oldest, head }
  }

  tail(from: TailPosition, { signal }: { signal: AbortSignal }): AsyncIterable<TailNews> {
    return this.#feed.follow(from, this, signal)
  }

  async trim(): Promise<number> {
    const { clock, retention = DEFAULT_RETENTION } = this.#options
    const before = this.#state.oldest
    const rules = { now: clock.now(), retention, repeats: this.#repeats }
    for await (const { state, idsFrom } of trimTables(this.#connection, () => this.#state, rules)) {
      this.#state = state
      this.#rows.forgetIdsBefore(idsFrom)
      this.#flusher?.committed()
      if (this.#closed !== undefined) break
    }
    return this.#state.oldest - before
  }

  async close(): Promise<void> {
    this.#closed ??= this.#close()
    await this.#closed
  }

  async #close(): Promise<void> {
    await this.#running
    this.#feed.close()
    await this.#flusher?.close()
    try {
      // Whatever the policy was: a file that says it was closed is on disk as a whole.
      this.#connection.exec('pragma synchronous = full')
      saveState(this.#connection, { ...this.#state, unflushedBoot: null })
    } finally {
      this.#connection.close()
    }
  }

  async #commitAll(): Promise<void> {
    const { maxCommitEvents = 256 } = this.#options
    while (this.#queue.length > 0) {
      // Those who ask in the same turn share the commit, well within the 5 ms that it may wait (R4).
      await nextTurn()
      const group: Waiting[] = []
      for (let count = 0; count < maxCommitEvents && this.#queue.length > 0;) {
        const waiting = this.#queue.shift()!
        if (waiting.signal?.aborted === true) {
          waiting.done.reject(waiting.signal.reason)
          continue
        }
        group.push(waiting)
        count += waiting.batch.length
      }
      this.#commit(group)
    }
    this.#running = undefined
  }

  #commit(group: readonly Waiting[]): void {
    let results: Appended[]
    try {
      results = this.#write(group)
    } catch (error) {
      const reason = trouble(error)
      for (const { done } of group) done.reject(reason)
      return
    }
    this.#feed.announce(results.flatMap(({ events }) => events))
    for (const [index, { done }] of group.entries()) done.resolve(results[index]!)
  }

  #write(group: readonly Waiting[]): Appended[] {
    const connection = this.#connection
    // Left over when an earlier rollback failed as well.
    if (connection.inTransaction) connection.exec('rollback')
    connection.exec('begin immediate')
    try {
      const now = this.#options.clock.now()
      let state = this.#state
      const results = group.map(({ batch }) => {
        const added = this.#rows.insert(batch, state, { now, repeats: this.#repeats })
        state = added.state
        return { events: added.events, duplicates: batch.length - added.events.length }
      })
      if (state !== this.#state) saveState(connection, state)
      connection.exec('commit')
      if (state !== this.#state) this.#flusher?.committed()
      this.#state = state
      return results
    } catch (error) {
      if (connection.inTransaction) connection.exec('rollback')
      throw error
    }
  }

  #events(where: string, parameters: readonly number[]): StoredEvent[] {
    this.#refuseClosed()
    return this.#rows.select(where, parameters, this.#state.epoch)
  }

  #refuseClosed(): void {
    if (this.#closed !== undefined) throw new ShutdownError('The event log')
  }
}

/** Reads the state of a file and says in it that it is open; a file whose tail may be lost begins a new epoch. */
function begin(connection: SqliteConnection, { path, ids, logger, fsync }: SqliteEventLogOptions): LogState {
  connection.exec('begin immediate')
  const { format, ...state } = openTables(connection, () => newEpoch(ids))
  if (format !== FORMAT) {
    throw new StoreSchemaError(
      `The event log ${path} has the format ${format}, and this program knows ${FORMAT}. Run the program that wrote it, or move the file away.`,
    )
  }
  const boot = bootId(() => ids.random())
  const lost = state.unflushedBoot !== null && state.unflushedBoot !== boot
  const epoch = lost ? newEpoch(ids) : state.epoch
  if (lost) {
    logger.warn(
      { path, epoch },
      'The machine went down while the event log was open: its last moments may be lost, so a new epoch begins.',
    )
  }
  const begun = { ...state, epoch, unflushedBoot: fsync === 'always' ? null : boot }
  saveState(connection, begun)
  connection.exec('commit')
  return begun
}

/** What the port promises: trouble of the store is told from a defect. A damaged file is no trouble that passes. */
function trouble(error: unknown): unknown {
  if (!(error instanceof MainstayError) || error instanceof StoreCorruptError || !error.retryable) return error
  return new EventLogUnavailableError(error.message, { cause: error })
}
