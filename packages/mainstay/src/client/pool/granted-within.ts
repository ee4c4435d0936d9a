import { parseTimestamp } from '../../core/timestamp.ts'
import type { GrantedLease } from './pool-record.ts'

/**
 * Whether a lease is certainly no older than that. It goes by the server's times alone, so that clocks need not agree; one whose
 * answer does not tell, as when it is over already, may be older.
 *
 * Source: vm-pool.md C4, C5.
 *
 * @param ms in milliseconds, up to when the server's answer came
 */
export function wasGrantedWithin({ vm, expiresAt, expiresInMs }: GrantedLease, ms: number): boolean {
  const since = parseTimestamp(vm.inUseSince ?? '')
  const until = parseTimestamp(expiresAt ?? '')
  if (since === undefined || until === undefined || expiresInMs <= 0) return false
  const answeredAt = until - expiresInMs
  return answeredAt - since <= Math.ceil(ms)
}
