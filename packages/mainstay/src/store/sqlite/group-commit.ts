import { nextTurn } from '../../core/turn.ts'
import { AsyncLocalStorage } from 'node:async_hooks'

import { Kysely } from 'kysely'

import type { Clock } from '../../core/clock.ts'
import { SystemClock } from '../../core/clock.ts'
import { ShutdownError } from '../../core/errors.ts'
import { StoreUnavailableError } from '../errors.ts'
import type { Schema } from '../schema.ts'
import type { Queries } from '../store.ts'
import { DEFAULT_WORK_TIMEOUT_MS, refuseNestedWrite, runWork } from '../write-scope.ts'
import { NodeSqliteDialect, SavepointLostError, type SqliteSession } from './dialect.ts'

export interface GroupCommitOptions {
  /** The most writes that share one commit. */
  readonly maxBatch?: number
  /** How long a batch takes new writes in before it is committed, so that the first in it does not wait for all. */
  readonly maxBatchMs?: number
  /** The most writes that wait; beyond it a new one is refused. */
  readonly maxQueued?: number
  /** How long a write waits while another process holds the lock of the file. */
  readonly busyTimeoutMs?: number
  /** The longest that the work of one write may take. */
  readonly workTimeoutMs?: number
  readonly clock?: Clock
}

interface Write {
  readonly work: (queries: Queries) => Promise<unknown>
  readonly timeoutMs: number
  /** Runs a function in the context of whoever asked for this write, not of whoever started the batch. */
  readonly inContext: <T>(run: () => T) => T
  readonly queuedAt: number
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
}

interface Done {
  readonly write: Write
  readonly result: unknown
}

/** How long to wait before the lock of another process is tried again. */
const BUSY_PAUSE_MS = 10

/**
 * Many writers, one disk flush.
 *
 *   queued ──▶ running ──work settles──▶ released ──commit──▶ resolved
 *     │           └──work throws, or is late──▶ rolled back alone ──▶ rejected
 *     └──lock of another process not got in time──▶ rejected
 *
 * Writes that wait at the same time run one after the other, each inside its own savepoint, in one transaction that is
 * committed once: the flush to disk, by far the dearest part, is shared. A write is answered only after that commit,
 * so "resolved" still means "on disk". When the transaction as a whole fails (disk full, file damaged, a savepoint
 * that cannot be undone), every write in it is rejected and none is kept; the queue behind it goes on.
 *
 * Invariants: writes run in the order in which they came; only the running write touches the connection; every write
 * is settled exactly once, and each wait is bounded by an option.
 */
export class GroupCommit {
  readonly #queries: Kysely<Schema>
  readonly #session: SqliteSession
  readonly #options: Required<GroupCommitOptions>
  readonly #queue: Write[] = []
  #running: Promise<void> | undefined
  #closed = false

  constructor(session: SqliteSession, options: GroupCommitOptions = {}) {
    this.#session = session
    this.#options = {
      maxBatch: 512,
      maxBatchMs: 20,
      maxQueued: 100_000,
      busyTimeoutMs: 5000,
      workTimeoutMs: DEFAULT_WORK_TIMEOUT_MS,
      clock: new SystemClock(),
      ...options,
    }
    this.#queries = new Kysely<Schema>({ dialect: new NodeSqliteDialect(session, { transactions: 'savepoint' }) })
  }

  /** @throws StoreUnavailableError, StoreFullError, StoreCorruptError, StoreWorkStuckError, or what `work` threw */
  async write<T>(
    work: (queries: Queries) => Promise<T>,
    { timeoutMs = this.#options.workTimeoutMs }: { timeoutMs?: number } = {},
  ): Promise<T> {
    refuseNestedWrite()
    if (this.#closed) throw new ShutdownError('A change of the database')
    const { maxQueued, clock } = this.#options
    if (this.#queue.length >= maxQueued) {
      throw new StoreUnavailableError(
        `The database has ${maxQueued} changes waiting and takes no more. Its disk is too slow for what is asked; try again later.`,
      )
    }
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    const inContext = AsyncLocalStorage.snapshot()
    this.#queue.push({ work, timeoutMs, inContext, queuedAt: clock.monotonic(), resolve, reject })
    this.#running ??= this.#run()
    return (await promise) as T
  }

  /** Lets what is queued finish and refuses what comes after. */
  async close(): Promise<void> {
    this.#closed = true
    while (this.#running !== undefined) await this.#running
  }

  async #run(): Promise<void> {
    while (this.#queue.length > 0) {
      // Those who ask in the same turn of the event loop share the commit; its flush is much dearer than the turn.
      await nextTurn()
      if (await this.#begin()) await this.#commitBatch()
    }
    this.#running = undefined
  }

  /** Begins a transaction. @returns false when nothing is left to do because all who waited were rejected */
  async #begin(): Promise<boolean> {
    while (this.#queue.length > 0) {
      try {
        // Left over when an earlier rollback failed as well.
        if (this.#session.inTransaction) this.#session.exec('rollback')
        this.#session.exec('begin immediate')
        return true
      } catch (error) {
        if (error instanceof StoreUnavailableError) {
          this.#rejectImpatient(error)
          await this.#options.clock.sleep(BUSY_PAUSE_MS)
        } else {
          for (const write of this.#queue.splice(0)) write.reject(error)
        }
      }
    }
    return false
  }

  #rejectImpatient(error: StoreUnavailableError): void {
    const { clock, busyTimeoutMs } = this.#options
    const oldest = clock.monotonic() - busyTimeoutMs
    while (this.#queue.length > 0 && this.#queue[0]!.queuedAt <= oldest) this.#queue.shift()!.reject(error)
  }

  async #commitBatch(): Promise<void> {
    const { clock, maxBatch, maxBatchMs } = this.#options
    const done: Done[] = []
    const closesAt = clock.monotonic() + maxBatchMs
    try {
      for (let count = 0; count < maxBatch && this.#queue.length > 0; count += 1) {
        await this.#runOne(this.#queue.shift()!, done)
        if (clock.monotonic() >= closesAt) break
      }
      this.#session.exec('commit')
    } catch (error) {
      this.#abandon()
      for (const { write } of done) write.reject(error)
      return
    }
    for (const { write, result } of done) write.resolve(result)
  }

  /** @throws when the whole transaction is lost; the failed write has been rejected by then */
  async #runOne(write: Write, done: Done[]): Promise<void> {
    const bounds = { clock: this.#options.clock, timeoutMs: write.timeoutMs }
    try {
      const result = await write.inContext(() =>
        this.#queries.transaction().execute((queries) => runWork(queries, write.work, bounds)),
      )
      done.push({ write, result })
    } catch (error) {
      const lost = error instanceof SavepointLostError
      const reason = lost ? error.cause : error
      write.reject(reason)
      if (lost || !this.#session.inTransaction) throw reason
    }
  }

  /** Ends a transaction that must not be kept. Should even that fail, {@link #begin} tries it again and reports it. */
  #abandon(): void {
    try {
      if (this.#session.inTransaction) this.#session.exec('rollback')
    } catch {
      // Nothing was committed, and the writes are rejected with the first reason, which says more.
    }
  }
}
