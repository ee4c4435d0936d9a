import { isJsonObject, parseJson, toJson } from '../../core/json.ts'
import type { Store } from '../../store/index.ts'
import type { KeptTicket, Principal, TicketStore } from './tickets.ts'

/** Tickets in the database of the product, so that any node takes what another has given. */
export class StoredTickets implements TicketStore {
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  async put(digest: string, { principal, expiresAtMs }: KeptTicket, nowMs: number): Promise<void> {
    await this.#store.write(async (queries) => {
      await queries.deleteFrom('event_tickets').where('expires_at', '<=', nowMs).execute()
      const row = { digest, principal: toJson(principal), expires_at: expiresAtMs }
      await queries.insertInto('event_tickets').values(row).execute()
    })
  }

  async take(digest: string): Promise<KeptTicket | undefined> {
    // One statement: of two nodes that are shown the same ticket at the same time one gets it.
    const row = await this.#store.write(
      async (queries) =>
        await queries.deleteFrom('event_tickets').where('digest', '=', digest).returningAll().executeTakeFirst(),
    )
    if (row === undefined) return undefined
    const principal = parseJson(row.principal, 'the holder of a ticket')
    if (!isJsonObject(principal)) return undefined
    return { principal: principal as unknown as Principal, expiresAtMs: row.expires_at }
  }
}
