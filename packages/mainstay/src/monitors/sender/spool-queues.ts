import { canonicalJson } from '../../core/json.ts'
import { subjectOf, type Report } from '../report.ts'
import type { SpoolEntry, SpoolRecord } from './spool-entry.ts'

/**
 * The undelivered records in memory: one queue for each subject, in the order in which they were taken.
 *
 * It is the fold of all entries of all segments. The order is that of the log, not of the ids: a clock that was set
 * back must not turn "stopped, started" into "started, stopped".
 */
export class SpoolQueues {
  readonly #queues = new Map<string, SpoolRecord[]>()
  readonly #subjects = new Map<string, string>()

  /** How many records wait. */
  get size(): number {
    return this.#subjects.size
  }

  /** Applies one entry. Repeating an entry changes nothing: segments may overlap after a crash. */
  apply(entry: SpoolEntry): void {
    switch (entry.kind) {
      case 'put':
        return this.#put(entry.record)
      case 'try':
        return this.#update(entry.id, { attempts: entry.attempts, lastError: entry.lastError })
      case 'end':
        return this.#remove(entry.id)
    }
  }

  get(id: string): SpoolRecord | undefined {
    const subject = this.#subjects.get(id)
    return subject === undefined ? undefined : this.#queues.get(subject)?.find((record) => record.id === id)
  }

  /** The record of a subject whose turn it is. */
  head(subject: string): SpoolRecord | undefined {
    return this.#queues.get(subject)?.[0]
  }

  subjects(): string[] {
    return [...this.#queues.keys()]
  }

  /** All records; each subject's in their order. */
  records(): SpoolRecord[] {
    return [...this.#queues.values()].flat()
  }

  /** When the oldest record was taken, in milliseconds since the Unix epoch. */
  oldestMs(): number | undefined {
    let oldest: number | undefined
    for (const [head] of this.#queues.values()) {
      if (head !== undefined && (oldest === undefined || head.firstSeenMs < oldest)) oldest = head.firstSeenMs
    }
    return oldest
  }

  /**
   * The waiting record that a new one makes superfluous: of the same subject, with the identical payload. A
   * `STOPPED` is never cancelled by a later `STARTED`.
   *
   * Source: monitors.md 2.4 (coalescing).
   */
  superseded(report: Report, isBusy: (id: string) => boolean): SpoolRecord | undefined {
    const payload = canonicalJson(report.payload)
    return this.#queues
      .get(subjectOf(report))
      ?.find((older) => !isBusy(older.id) && canonicalJson(older.report.payload) === payload)
  }

  #put(record: SpoolRecord): void {
    if (this.#subjects.has(record.id)) return this.#update(record.id, record)
    this.#subjects.set(record.id, record.subject)
    const queue = this.#queues.get(record.subject)
    if (queue === undefined) this.#queues.set(record.subject, [record])
    else queue.push(record)
  }

  #update(id: string, change: Partial<SpoolRecord>): void {
    const queue = this.#queues.get(this.#subjects.get(id) ?? '') ?? []
    const index = queue.findIndex((record) => record.id === id)
    const record = queue[index]
    if (record !== undefined) queue[index] = { ...record, ...change }
  }

  #remove(id: string): void {
    const subject = this.#subjects.get(id)
    if (subject === undefined) return
    this.#subjects.delete(id)
    const rest = (this.#queues.get(subject) ?? []).filter((record) => record.id !== id)
    if (rest.length === 0) this.#queues.delete(subject)
    else this.#queues.set(subject, rest)
  }
}
