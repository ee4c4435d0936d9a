import type { Queries, Store } from '../../store/index.ts'

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

/** As {@link lockHost} for a segment and all of its hosts. */
export async function lockSegment(queries: Queries, kind: Store['kind'], segmentUuid: string): Promise<void> {
  if (kind === 'sqlite') return
  await queries.selectFrom('failover_segments').select('id').where('uuid', '=', segmentUuid).forUpdate().execute()
  await queries
    .selectFrom('hosts')
    .select('id')
    .where('failover_segment_id', '=', segmentUuid)
    .orderBy('id')
    .forUpdate()
    .execute()
}
