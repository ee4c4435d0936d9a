import { MainstayApiError } from '../errors.ts'

/** With these the pool itself says that the machine, or the right to it, is gone. */
const GONE: ReadonlySet<string | null> = new Set(['MS_POOL_LEASE_LOST', 'MS_POOL_VM_NOT_FOUND'])
const FORBIDDEN = 403

/**
 * Whether an answer to the holder of a lease says that the lease is gone.
 *
 * Nothing else does: a server in trouble, a proxy that finds no server, a token that expired and an answer that nobody
 * understands say nothing of the lease, which then goes on until its end.
 *
 * Source: vm-pool.md C5.
 */
export function saysLeaseGone(error: unknown): boolean {
  return error instanceof MainstayApiError && (error.status === FORBIDDEN || GONE.has(error.faultKey))
}
