/**
 * Whether a user may take one machine more of a group.
 *
 * @param held machines of the group that are bound to the user, in any state: idle dirty ones count too
 * @param limit 0 or absent is no limit
 *
 * Source: vm-pool.md A5.2.
 */
export function mayAcquireMore(held: number, limit: number | null | undefined): boolean {
  return limit === undefined || limit === null || limit === 0 || held < limit
}
