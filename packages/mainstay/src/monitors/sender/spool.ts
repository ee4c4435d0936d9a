import type { Clock } from '../../core/clock.ts'
import { ShutdownError, errorCode, errorMessage } from '../../core/errors.ts'
import type { Ids } from '../../core/ids.ts'
import type { Logger } from '../../core/logging.ts'
import { SpoolFullError } from '../errors.ts'
import { subjectOf, type Receipt, type Report } from '../report.ts'
import { appendDeadLetter } from './dead-letters.ts'
import type { SpoolDirectory } from './spool-directory.ts'
import type { SpoolEntry, SpoolRecord } from './spool-entry.ts'
import { SpoolLog } from './spool-log.ts'
import { SpoolQueues } from './spool-queues.ts'

export interface SpoolOptions {
  /** A segment is replaced when it has grown by this much, and by as much as it began with. */
  readonly segmentBytes?: number
  /** How many reports are held in memory while the disk takes none. */
  readonly maxMemoryRecords?: number
  /** The least time between two attempts to use a disk that has failed. */
  readonly diskRetryMs?: number
}

export interface SpoolDeps {
  readonly directory: SpoolDirectory
  readonly clock: Clock
  readonly ids: Ids
  readonly logger: Logger
}

const LOG_PAUSE_MS = 60_000

interface Batch {
  readonly entries: SpoolEntry[]
  sync: boolean
  readonly stored: PromiseWithResolvers<boolean>
}

/**
 * Reports that are not delivered yet, on disk.
 *
 *   accepted ──claim──▶ sending ──settle, deadLetter──▶ gone
 *       ▲                  │
 *       └────── failed ────┘        (a claim ends with the process: after a crash the record is `accepted` again)
 *
 * Everything asked for while the disk is busy shares the next write and the next sync.
 *
 * While the disk fails, new records are held in memory and said to be so; every attempt to use the disk again is a
 * checkpoint of all that waits, so nothing depends on what the failed write has left behind.
 *
 * Invariant: `accept` resolves with `durable: true` only after the record is synced; a record leaves the disk only
 * after it is settled. Killing the process at any moment loses nothing that was accepted and repeats at most what was
 * being sent, with the same id.
 *
 * Source: monitors.md 2.4.
 */
export class Spool {
  readonly #deps: SpoolDeps
  readonly #log: SpoolLog
  readonly #queues = new SpoolQueues()
  readonly #claimed = new Set<string>()
  readonly #unwritten = new Set<string>()
  readonly #volatile = new Set<string>()
  readonly #maxMemoryRecords: number
  readonly #diskRetryMs: number
  #batch: Batch | undefined
  #flushing: Promise<void> | undefined
  #failure: { reason: string; triedAt: number; loggedAt: number; probe: Disposable } | undefined
  #closing = false
  /** Called with a subject whenever a record of it may be claimed. */
  onReady: (subject: string) => void = () => undefined

  private constructor(deps: SpoolDeps, log: SpoolLog, options: SpoolOptions) {
    this.#deps = deps
    this.#log = log
    this.#maxMemoryRecords = options.maxMemoryRecords ?? 10_000
    this.#diskRetryMs = options.diskRetryMs ?? 1_000
  }

  /**
   * Reads what an earlier run has left and starts a segment of its own.
   *
   * @throws SpoolUnreadableError
   */
  static async open(deps: SpoolDeps, options: SpoolOptions = {}): Promise<Spool> {
    const { segmentBytes = 1024 * 1024 } = options
    const { log, entries, damagedLines } = await SpoolLog.open(deps.directory, { segmentBytes })
    const spool = new Spool(deps, log, options)
    for (const entry of entries) spool.#queues.apply(entry)
    if (damagedLines > 0) {
      const text = `The spool ${deps.directory.path} had ${damagedLines} damaged lines; what they said is lost.`
      deps.logger.error({ damagedLines }, text)
    }
    await spool.#enqueue([], { sync: true })
    return spool
  }

  /** How many records wait. */
  get size(): number {
    return this.#queues.size
  }

  /** False while what is accepted is held in memory only. */
  get durable(): boolean {
    return this.#failure === undefined
  }

  /** Since when the oldest record waits, in milliseconds since the Unix epoch. */
  get oldestMs(): number | undefined {
    return this.#queues.oldestMs()
  }

  subjects(): string[] {
    return this.#queues.subjects()
  }

  records(): SpoolRecord[] {
    return this.#queues.records()
  }

  /** @throws SpoolFullError, ShutdownError */
  async accept(report: Report): Promise<Receipt> {
    if (this.#closing) throw new ShutdownError(`The report about ${subjectOf(report)}`)
    if (this.#failure !== undefined && this.#volatile.size >= this.#maxMemoryRecords) {
      throw new SpoolFullError(this.#deps.directory.path, this.#volatile.size, this.#failure.reason)
    }
    const { clock, ids } = this.#deps
    const older = this.#queues.superseded(report, (id) => this.#claimed.has(id))
    const record: SpoolRecord = {
      id: ids.ordered(),
      subject: subjectOf(report),
      report,
      firstSeenMs: clock.now(),
      // The same fact as the one it replaces: its back-off goes on.
      attempts: older?.attempts ?? 0,
      lastError: older?.lastError ?? null,
    }
    const entries: SpoolEntry[] = [{ kind: 'put', record }]
    if (older !== undefined) entries.push({ kind: 'end', id: older.id })
    this.#unwritten.add(record.id)
    const durable = await this.#enqueue(entries, { sync: true })
    this.#unwritten.delete(record.id)
    if (!durable && this.#queues.get(record.id) !== undefined) this.#volatile.add(record.id)
    this.onReady(record.subject)
    return { id: record.id, durable }
  }

  /** Takes the record whose turn it is, unless one of the subject is being sent already. */
  claim(subject: string): SpoolRecord | undefined {
    const record = this.#queues.head(subject)
    if (record === undefined || this.#claimed.has(record.id) || this.#unwritten.has(record.id)) return undefined
    this.#claimed.add(record.id)
    return record
  }

  /** Gives a claimed record back after an attempt that failed. */
  async failed(record: SpoolRecord, lastError: string): Promise<void> {
    this.#claimed.delete(record.id)
    await this.#enqueue([{ kind: 'try', id: record.id, attempts: record.attempts + 1, lastError }], { sync: false })
  }

  /** Gives a claimed record back as if it had not been tried. */
  release(record: SpoolRecord): void {
    this.#claimed.delete(record.id)
  }

  /** A claimed record is done with. Not synced: a repeated delivery carries the same id. */
  async settle(record: SpoolRecord): Promise<void> {
    this.#claimed.delete(record.id)
    this.#volatile.delete(record.id)
    await this.#enqueue([{ kind: 'end', id: record.id }], { sync: false })
  }

  /** Moves a claimed record to the dead letters. When those cannot be written it stays, given back as after a failure. */
  async deadLetter(record: SpoolRecord, reason: string): Promise<boolean> {
    try {
      await appendDeadLetter(this.#deps.directory, record, { reason, atMs: this.#deps.clock.now() })
    } catch (error) {
      if (errorCode(error) === undefined) throw error
      await this.failed(record, `${reason}; the dead letters cannot be written: ${errorMessage(error)}`)
      return false
    }
    await this.settle(record)
    return true
  }

  /** Takes nothing new, writes what is left and lets go of the directory. */
  async close(): Promise<void> {
    this.#closing = true
    await this.#flushing
    if (this.#failure !== undefined) {
      this.#failure.triedAt = Number.NEGATIVE_INFINITY // the last chance
      await this.#enqueue([], { sync: true })
      this.#failure?.probe[Symbol.dispose]()
    }
    await this.#log.close()
    await this.#deps.directory.close()
  }

  /** Resolves with whether the disk holds it now. */
  async #enqueue(entries: readonly SpoolEntry[], { sync }: { sync: boolean }): Promise<boolean> {
    for (const entry of entries) this.#queues.apply(entry)
    this.#batch ??= { entries: [], sync: false, stored: Promise.withResolvers<boolean>() }
    this.#batch.entries.push(...entries)
    this.#batch.sync ||= sync
    const { promise } = this.#batch.stored
    this.#flushing ??= this.#flush()
    return await promise
  }

  /** Never rejects: what went wrong is told to those who wait for the batch. */
  async #flush(): Promise<void> {
    await Promise.resolve() // so that everything asked for in this turn is in the first batch
    for (let batch = this.#batch; batch !== undefined; batch = this.#batch) {
      this.#batch = undefined
      try {
        batch.stored.resolve(await this.#write(batch))
      } catch (error) {
        batch.stored.reject(error)
      }
    }
    this.#flushing = undefined
  }

  async #write(batch: Batch): Promise<boolean> {
    const now = this.#deps.clock.monotonic()
    if (this.#failure !== undefined && now - this.#failure.triedAt < this.#diskRetryMs) return false
    const written = this.#log.checkpointDue ? this.#queues.records() : undefined
    try {
      if (written === undefined) await this.#log.append(batch.entries, batch)
      else await this.#log.checkpoint(written.map((record) => ({ kind: 'put', record })))
    } catch (error) {
      if (errorCode(error) === undefined) throw error
      this.#diskFailed(errorMessage(error), now)
      return false
    }
    this.#diskWorks(written ?? [])
    return true
  }

  #diskFailed(reason: string, now: number): void {
    const { clock, logger, directory } = this.#deps
    const before = this.#failure
    before?.probe[Symbol.dispose]()
    const probe = clock.after(this.#diskRetryMs, () => void this.#enqueue([], { sync: true }))
    const silent = before !== undefined && now - before.loggedAt < LOG_PAUSE_MS
    this.#failure = { reason, triedAt: now, loggedAt: silent ? before.loggedAt : now, probe }
    if (silent) return
    logger.error(
      { reason, held: this.#volatile.size },
      `The spool ${directory.path} cannot be written: ${reason}. Reports are held in memory and lost if this process ` +
        `ends. Free space on that file system or make it writable.`,
    )
  }

  #diskWorks(written: readonly SpoolRecord[]): void {
    if (this.#failure === undefined) return
    const { logger, directory } = this.#deps
    this.#failure.probe[Symbol.dispose]()
    this.#failure = undefined
    this.#volatile.clear()
    logger.info({ records: written.length }, `The spool ${directory.path} can be written again.`)
  }
}
