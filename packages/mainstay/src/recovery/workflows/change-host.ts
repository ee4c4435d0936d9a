import { findHost, findSegment, setHostFlags, type HaEvent, type Host, type Segment } from '../../ha/index.ts'
import type { Queries } from '../../store/index.ts'
import type { RecoveryTools } from './tools.ts'

/**
 * Changes what a recovery may change of a host's record, and tells the listeners of it. A host that is so already, or
 * that was deleted meanwhile, is left as it is and nothing is told.
 *
 * Source: ha-api.md 12.1, 12.5, 14 and 18.
 */
export async function changeHost(
  queries: Queries,
  { tellListeners }: RecoveryTools,
  { uuid, flags, now }: { uuid: string; flags: { onMaintenance?: boolean; reserved?: boolean }; now: number },
): Promise<void> {
  const before = await findHost(queries, uuid)
  const after = await setHostFlags(queries, uuid, flags, now)
  if (before === undefined || after === undefined) return
  if (before.onMaintenance === after.onMaintenance && before.reserved === after.reserved) return
  const segment = await findSegment(queries, after.segmentUuid)
  if (segment === undefined) return
  await tellListeners(queries, updated('start', before, segment), now)
  await tellListeners(queries, updated('end', after, segment), now)
}

function updated(phase: HaEvent['phase'], host: Host, segment: Segment): HaEvent {
  return { resource: 'host', action: 'update', phase, subject: { resource: 'host', host, segment }, fault: null }
}
