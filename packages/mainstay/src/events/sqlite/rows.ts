import type { Random } from '../../core/random.ts'
import { parseTimestamp } from '../../core/timestamp.ts'
import { nextTurn } from '../../core/turn.ts'
import type { SqliteConnection } from '../../store/sqlite/connection.ts'
import type { RepeatWindow } from '../retention.ts'
import { StoredEvent, storedText } from '../stored-event.ts'
import type { NewStreamEvent } from '../stream-event.ts'
import { IdIndex } from './id-index.ts'
import type { LogState } from './tables.ts'

interface IdsRow {
  /** When its event was taken in. */
  readonly at: number
  readonly source_id: string
  readonly id: string
}

/** Rows that are read in one turn of the event loop. */
const CHUNK = 10_000

/** The rows of `events` and `ids`, with an index of the ids in memory. Transactions are made outside. */
export class EventRows {
  readonly #connection: SqliteConnection
  readonly #index: IdIndex

  private constructor(connection: SqliteConnection, random: Random) {
    this.#connection = connection
    this.#index = new IdIndex(random)
  }

  /** Reads all ids into the index. */
  static async open(connection: SqliteConnection, random: Random): Promise<EventRows> {
    const opened = new EventRows(connection, random)
    for (let after = 0; ;) {
      const sql = 'select seq, source_id, id from ids where seq > ? order by seq limit ?'
      const rows = connection.query(sql, [after, CHUNK]).rows as { seq: number; source_id: string; id: string }[]
      for (const { seq, source_id: sourceId, id } of rows) opened.#addToIndex(seq, sourceId, id)
      if (rows.length < CHUNK) return opened
      after = rows.at(-1)!.seq
      await nextTurn()
    }
  }

  /**
   * Inserts those of a batch that are no repeats.
   *
   * @param now milliseconds since the Unix epoch
   * @returns the events with their places, and the state after them; `before` itself when there are none
   */
  insert(
    batch: readonly NewStreamEvent[],
    before: LogState,
    { now, repeats }: { now: number; repeats: RepeatWindow },
  ): { events: StoredEvent[]; state: LogState } {
    const events: StoredEvent[] = []
    let { head, at, bytes } = before
    for (const event of batch) {
      const { id, source_event_id: sourceId } = event
      if (this.#isKnown(sourceId, { after: head - repeats.events, since: now - repeats.ms })) continue
      head += 1
      at = Math.max(at, parseTimestamp(event.timestamp) ?? now)
      const text = storedText(event)
      const size = Buffer.byteLength(text)
      this.#connection.query('insert into events (seq, text) values (?, ?)', [head, text])
      const ids = [head, at, size, sourceId, id]
      this.#connection.query('insert into ids (seq, at, bytes, source_id, id) values (?, ?, ?, ?, ?)', ids)
      this.#addToIndex(head, sourceId, id)
      bytes += size
      events.push(new StoredEvent({ seq: head, epoch: before.epoch }, text, event))
    }
    return { events, state: events.length === 0 ? before : { ...before, head, at, bytes } }
  }

  /** Events of the rows that a condition on `seq` names. */
  select(where: string, parameters: readonly number[], epoch: string): StoredEvent[] {
    const { rows } = this.#connection.query(`select seq, text from events where ${where}`, parameters)
    return rows.map(({ seq, text }) => new StoredEvent({ seq: seq as number, epoch }, text as string))
  }

  /** Where the event of an id is, from a place on. */
  placeOf(id: string, oldest: number): number | undefined {
    return this.#index.find(id, (seq) => seq >= oldest && this.#idsAt(seq)?.id === id)
  }

  takenInAt(seq: number): number | undefined {
    return this.#idsAt(seq)?.at
  }

  forgetIdsBefore(seq: number): void {
    this.#index.forgetBefore(seq)
  }

  #isKnown(sourceId: string, { after, since }: { after: number; since: number }): boolean {
    const seq = this.#index.find(sourceId, (place) => {
      const ids = place > after ? this.#idsAt(place) : undefined
      return ids !== undefined && ids.source_id === sourceId && ids.at >= since
    })
    return seq !== undefined
  }

  #addToIndex(seq: number, sourceId: string, id: string): void {
    this.#index.add(sourceId, seq)
    if (id !== sourceId) this.#index.add(id, seq)
  }

  #idsAt(seq: number): IdsRow | undefined {
    return this.#connection.query('select at, source_id, id from ids where seq = ?', [seq]).rows[0] as
      | IdsRow
      | undefined
  }
}
