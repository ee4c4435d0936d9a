import { toJson } from '../../core/json.ts'
import type { Store } from '../../store/index.ts'
import type { HostName } from '../compute.ts'
import { openMove, recordOf, rowOf, wasMovedAwayFrom, type GuestRecord } from './guest-record.ts'

/**
 * The guests of all hosts as they were last seen, in the table `instance_inventory`.
 *
 * Whoever changes a record decides on what is kept at that very moment: of two who move a guest at the same time one
 * finds its place changed.
 */
export class Inventory {
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  async find(uuid: string): Promise<GuestRecord | undefined> {
    const row = await this.#store.read
      .selectFrom('instance_inventory')
      .selectAll()
      .where('instance_uuid', '=', uuid)
      .executeTakeFirst()
    return row === undefined ? undefined : recordOf(row)
  }

  /** In the order of their names, which a dead host cannot change. */
  async listOn(host: HostName): Promise<GuestRecord[]> {
    const rows = await this.#store.read
      .selectFrom('instance_inventory')
      .selectAll()
      .where('host', '=', host)
      .orderBy('name')
      .orderBy('instance_uuid')
      .execute()
    return rows.map(recordOf)
  }

  /** Guests that were moved away from a host which was not seen without them since. */
  async listMovedFrom(host: HostName): Promise<GuestRecord[]> {
    return (await this.#listWithSource(host)).filter((record) => wasMovedAwayFrom(record, host))
  }

  /** Guests whose restart elsewhere has begun from that host and is not known to have ended, by name. */
  async listMovingFrom(host: HostName): Promise<GuestRecord[]> {
    return (await this.#listWithSource(host)).filter((record) => openMove(record)?.source === host)
  }

  async #listWithSource(host: HostName): Promise<GuestRecord[]> {
    const rows = await this.#store.read
      .selectFrom('instance_inventory')
      .selectAll()
      // A coarse sieve, so that not every definition is read as JSON.
      .where('definition', 'like', `%"source":${toJson(host)}%`)
      .orderBy('name')
      .orderBy('instance_uuid')
      .execute()
    return rows.map(recordOf)
  }

  /**
   * Changes what is kept of a guest, in one transaction with reading it.
   *
   * @param decide given what is kept now; returns the new record, `forget`, or undefined to leave it. It may be called
   *   again, so it has no other effects
   * @returns the new record; undefined when nothing was written
   */
  async change(
    uuid: string,
    decide: (now: GuestRecord | undefined) => GuestRecord | 'forget' | undefined,
  ): Promise<GuestRecord | undefined> {
    return await this.#store.write(async (queries) => {
      const reading = queries.selectFrom('instance_inventory').selectAll().where('instance_uuid', '=', uuid)
      // SQLite has one writer and no such clause.
      const row = await (this.#store.kind === 'postgres' ? reading.forUpdate() : reading).executeTakeFirst()
      const after = decide(row === undefined ? undefined : recordOf(row))
      if (after === undefined) return undefined
      if (after === 'forget') {
        await queries.deleteFrom('instance_inventory').where('instance_uuid', '=', uuid).execute()
        return undefined
      }
      const { instance_uuid: _, ...change } = rowOf(after)
      await queries
        .insertInto('instance_inventory')
        .values(rowOf(after))
        .onConflict((conflict) => conflict.column('instance_uuid').doUpdateSet(change))
        .execute()
      return after
    })
  }
}
