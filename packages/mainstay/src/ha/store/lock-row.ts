import type { Queries, Store } from '../../store/index.ts'
import { isUuidLike } from '../rules/text.ts'

/**
 * Makes two writers that concern the same host wait for each other until the first has committed. SQLite has one
 * writer anyway; PostgreSQL locks the host's row. This is what makes the search for duplicates exact without an
 * outside lock service.
 *
 * Source: ha-api.md 8.3 step 3, 19.
 */
export async function lockHost(queries: Queries, kind: Store['kind'], hostUuid: string): Promise<void> {
  if (kind === 'sqlite') return
  await queries.selectFrom('hosts').select('id').where('uuid', '=', hostUuid).forUpdate().execute()
}

/** As {@link lockHost} for a segment and all of its hosts. The id may be anything that a client sent. */
export async function lockSegment(queries: Queries, kind: Store['kind'], segmentUuid: string): Promise<void> {
  // Nobody's id is not looked for: PostgreSQL refuses to compare with some of what a client may send, such as a NUL.
  if (kind === 'sqlite' || !isUuidLike(segmentUuid)) return
  await queries.selectFrom('failover_segments').select('id').where('uuid', '=', segmentUuid).forUpdate().execute()
  await queries
    .selectFrom('hosts')
    .select('id')
    .where('failover_segment_id', '=', segmentUuid)
    .orderBy('id')
    .forUpdate()
    .execute()
}
