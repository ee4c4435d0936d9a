import type { GuestFact } from './report-table.ts'

/** Ends that guest or operator have asked for. */
const WISHES = new Set(['STOPPED_SHUTDOWN', 'STOPPED_DESTROYED', 'SHUTDOWN_FINISHED'])

/**
 * Whether an end was the wish of the guest or of an operator. It is told, as the reference tells it, but nobody should
 * recover from it, and no option of the monitor turns it into a failure.
 *
 * Source: monitors.md IM-7.
 */
export function isWish({ event, virDomainEvent }: GuestFact): boolean {
  return event === 'LIFECYCLE' && WISHES.has(virDomainEvent)
}
