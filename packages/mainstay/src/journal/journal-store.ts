import { errorMessage, isRetryable } from '../core/errors.ts'
import { parseJson, type Json } from '../core/json.ts'
import type { Queries, Store } from '../store/index.ts'
import { Batcher } from './batcher.ts'
import { claimPostgres } from './claim-postgres.ts'
import { claimSqlite } from './claim-sqlite.ts'
import { enqueuedFromRow, type ClaimedWorkflow } from './claimed-workflow.ts'
import type { DueOptions } from './due.ts'
import { NotClaimed, StaleOwnerError } from './errors.ts'
import type { RecordedEntry } from './history.ts'
import { readHistories } from './read-history.ts'
import { writeRecordsAlonePostgres, writeRecordsPostgres } from './record-postgres.ts'
import { writeRecordsSqlite } from './record-sqlite.ts'
import type { HistoryRecord } from './record.ts'

/** A change of our own tables that is made in the transaction of the record. */
export type AlongWith = (queries: Queries) => Promise<HistoryRecord>

/**
 * The journal's tables. Every write of an owner names its fencing token and is refused, whole, when a newer owner
 * exists.
 */
export class JournalStore {
  readonly #store: Store
  readonly #records: Batcher<HistoryRecord>

  constructor(store: Store) {
    this.#store = store
    this.#records = new Batcher<HistoryRecord>(async (batch) => {
      await this.#write(batch)
      return batch.map(({ line }) => line.lost)
    })
  }

  /**
   * Adds to the history; resolves when it is on disk. Records that are handed over at the same moment share a
   * transaction, in the order in which they were handed over. Of one line, what is on disk is always a beginning of
   * what was handed over.
   *
   * @throws NotClaimed, StaleOwnerError, what the store throws, TypeError for data that is no JSON
   */
  async record(record: HistoryRecord): Promise<void> {
    await this.#records.add(record)
  }

  /** Writes records and marks the lines of those that were not written. */
  async #write(batch: readonly HistoryRecord[]): Promise<void> {
    const records = batch.filter(({ line }) => line.lost === undefined)
    if (records.length === 0) return
    const claimed = records.find(({ claim }) => claim !== undefined)?.line
    if (claimed !== undefined && records.some(({ line }) => line !== claimed)) {
      // A workflow is claimed by itself.
      await this.#write(records.filter(({ line }) => line === claimed))
      await this.#write(records.filter(({ line }) => line !== claimed))
      return
    }
    const store = this.#store
    try {
      const refused =
        store.kind === 'postgres'
          ? await writeRecordsAlonePostgres(store, records)
          : await store.write((queries) => writeRecordsSqlite(queries, records))
      for (const { workflowId, fence, line } of refused) {
        line.lost = line === claimed ? new NotClaimed(workflowId) : new StaleOwnerError(workflowId, fence)
      }
    } catch (error) {
      if (records.length === 1 || isRetryable(error)) {
        const lost = error instanceof Error ? error : new Error(errorMessage(error))
        for (const { line } of records) line.lost ??= lost
        return
      }
      // One of them cannot be written at all; the others do not suffer for it.
      for (const record of records) await this.#write([record])
    }
  }

  /**
   * Changes our own tables and adds to the history in one transaction.
   *
   * @throws StaleOwnerError; then the change was not made either
   */
  async recordAlong(owner: { workflowId: string; fence: number }, along: AlongWith): Promise<HistoryRecord> {
    const write = this.#store.kind === 'postgres' ? writeRecordsPostgres : writeRecordsSqlite
    return await this.#store.write(async (queries) => {
      const record = await along(queries)
      const stale = await write(queries, [record])
      if (stale.size > 0) throw new StaleOwnerError(owner.workflowId, owner.fence)
      return record
    })
  }

  /** Announces an engine, or finds that others have taken it for dead. @returns false in the latter case */
  async renewLease(engine: string, lease: { now: number; until: number; first: boolean }): Promise<boolean> {
    return await this.#store.write(async (queries) => {
      if (lease.first) {
        await queries
          .insertInto('engines')
          .values({ id: engine, lease_until: lease.until, started_at: lease.now })
          .execute()
        return true
      }
      const row = await queries
        .updateTable('engines')
        .set({ lease_until: lease.until })
        .where('id', '=', engine)
        .returning('id')
        .executeTakeFirst()
      return row !== undefined
    })
  }

  /** Takes an engine's name off the list, so that others take over at once. */
  async endLease(engine: string): Promise<void> {
    await this.#store.write(async (queries) => {
      await queries.deleteFrom('engines').where('id', '=', engine).execute()
    })
  }

  /** Ends every lease: for a store that only one process can have, where all older engines are dead. */
  async endAllLeases(): Promise<void> {
    await this.#store.write(async (queries) => {
      await queries.deleteFrom('engines').execute()
    })
  }

  /**
   * Takes ownership of workflows that are due, and of those whose owner is dead.
   *
   * @param options.limit the most that are taken
   */
  async claim(options: DueOptions): Promise<ClaimedWorkflow[]> {
    if (options.limit <= 0 || options.names.length === 0) return []
    const claim = this.#store.kind === 'postgres' ? claimPostgres : claimSqlite
    const rows = await claim(this.#store, options)
    // Only what ran before has a history.
    const again = rows.filter((row) => row.fence > 1).map((row) => row.id)
    const histories =
      again.length === 0 ? new Map<string, RecordedEntry[]>() : await readHistories(this.#store.read, again)
    return rows
      .toSorted((a, b) => a.created_at - b.created_at || (a.id < b.id ? -1 : 1))
      .map((row) => ({
        ...enqueuedFromRow(row),
        fence: row.fence,
        cancelReason: row.cancel_reason,
        history: histories.get(row.id) ?? [],
      }))
  }

  /**
   * When the next sleeping workflow is due, in milliseconds since the Unix epoch.
   *
   * @param after those that were due by then are left out: what was not claimed waits for its subject or for room, and
   *   whoever makes way looks for work itself
   */
  async nextWake(names: readonly string[], after: number): Promise<number | undefined> {
    if (names.length === 0) return undefined
    const row = await this.#store.read
      .selectFrom('workflows')
      .select((eb) => eb.fn.min('wake_at').as('at'))
      .where('status', 'in', ['waiting', 'held'])
      .where('wake_at', '>', after)
      .where('name', 'in', [...names])
      .executeTakeFirst()
    return row?.at ?? undefined
  }

  /** Which of an engine's workflows somebody asked to stop, with the reasons. */
  async cancelled(engine: string): Promise<Map<string, string>> {
    const rows = await this.#store.read
      .selectFrom('workflows')
      .select(['id', 'cancel_reason'])
      .where('owner', '=', engine)
      .where('status', '=', 'running')
      .where('cancel_reason', 'is not', null)
      .execute()
    return new Map(rows.map((row) => [row.id, row.cancel_reason ?? '']))
  }

  /** Signals of those names that this workflow was sent, oldest first. */
  async signals(workflowId: string, names: readonly string[]): Promise<{ id: string; name: string; data: Json }[]> {
    const rows = await this.#store.read
      .selectFrom('workflow_signals')
      .select(['id', 'name', 'data'])
      .where('workflow_id', '=', workflowId)
      .where('name', 'in', [...names])
      .orderBy('at')
      .orderBy('id')
      .execute()
    return rows.map((row) => ({ ...row, data: parseJson(row.data, `the data of signal ${row.id}`) }))
  }
}
