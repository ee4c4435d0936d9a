import type { Store } from '../../store/index.ts'
import type { HostName } from '../compute.ts'

/**
 * Which hosts take no new guests, and why, in the table `disabled_hosts`: libvirt has no such notion, and a host that was
 * fenced must not get guests again only because Mainstay was started anew.
 */
export class DisabledHosts {
  readonly #store: Store

  constructor(store: Store) {
    this.#store = store
  }

  /** @returns null while new guests may be placed on the host */
  async reasonOf(host: HostName): Promise<string | null> {
    const row = await this.#store.read
      .selectFrom('disabled_hosts')
      .select('reason')
      .where('host', '=', host)
      .executeTakeFirst()
    return row?.reason ?? null
  }

  /** Disables a host, or changes the reason. @param at in milliseconds since the Unix epoch */
  async add(host: HostName, reason: string, at: number): Promise<void> {
    await this.#store.write(async (queries) => {
      await queries
        .insertInto('disabled_hosts')
        .values({ host, reason, at })
        .onConflict((conflict) => conflict.column('host').doUpdateSet({ reason }))
        .execute()
    })
  }

  async remove(host: HostName): Promise<void> {
    await this.#store.write(async (queries) => {
      await queries.deleteFrom('disabled_hosts').where('host', '=', host).execute()
    })
  }
}
