import { isAtLeast, type Microversion } from '../../http/microversion.ts'
import { ConflictError, NotFoundError } from '../../http/errors.ts'
import { isTaken, type Queries } from '../../store/index.ts'
import { segmentFromValues, type Segment } from '../records/segment.ts'
import { bodyBoolean, queryBoolean } from '../rules/boolean.ts'
import { isUuidLike } from '../rules/text.ts'
import { listRecords, type Filter } from '../store/list-records.ts'
import { lockSegment } from '../store/lock-row.ts'
import {
  deleteSegment,
  findSegment,
  findSegmentByName,
  insertSegment,
  isSegmentInUse,
  updateSegment,
  type SegmentPatch,
} from '../store/segments.ts'
import { bodyAction, type Action, type Call } from './action.ts'
import { filterValue, readLimit, readPage } from './list-query.ts'
import * as schemas from './segment-schema.ts'
import { segmentView } from './views.ts'

/** Segments. Source: ha-api.md 6. */
export const segmentActions: Readonly<Record<'index' | 'create' | 'show' | 'update' | 'delete', Action>> = {
  index: {
    policy: 'os_masakari_api:segments:index',
    successStatus: 200,
    run: async ({ store, options }, { query }) => {
      const limit = readLimit(query, options.maxLimit)
      const filters = segmentFilters(query)
      if (limit === 0 || filters === undefined) return { segments: [] }
      const rows = await listRecords(store, 'failover_segments', filters, readPage(query, limit))
      return { segments: rows.map((values) => segmentView(segmentFromValues(values))) }
    },
  },
  create: bodyAction({
    policy: 'os_masakari_api:segments:create',
    successStatus: 201,
    schema: (version): typeof schemas.createSegment | typeof schemas.createSegmentBase =>
      takesEnabled(version) ? schemas.createSegment : schemas.createSegmentBase,
    run: async ({ announcer, clock, ids }, { body, context }) => {
      const wanted = {
        uuid: ids.random(),
        name: body.segment.name,
        serviceType: body.segment.service_type,
        recoveryMethod: body.segment.recovery_method,
        description: body.segment.description ?? null,
        enabled: enabledOf(body.segment) ?? true,
      }
      const created = await naming(wanted.name, () =>
        announcer.change('create', context, async (queries, begin) => {
          const { uuid: _notYetKnown, ...known } = wanted
          begin({ resource: 'segment', segment: known })
          await requireFreeName(queries, wanted.name)
          const segment = await insertSegment(queries, wanted, clock.now())
          return { result: segment, after: { resource: 'segment', segment } }
        }),
      )
      return { segment: segmentView(created) }
    },
  }),
  show: {
    policy: 'os_masakari_api:segments:detail',
    successStatus: 200,
    run: async ({ store }, call) => ({ segment: segmentView(await requireSegment(store.read, call.id('segments'))) }),
  },
  update: bodyAction({
    policy: 'os_masakari_api:segments:update',
    successStatus: 200,
    schema: (version) => (takesEnabled(version) ? schemas.updateSegment : schemas.updateSegmentBase),
    run: async ({ announcer, clock, store }, call) => {
      const patch = patchOf(call.body.segment)
      const updated = await naming(patch.name ?? '', () =>
        announcer.change('update', call.context, async (queries, begin) => {
          const segment = await requireIdleSegment(queries, store.kind, call.id('segments'))
          const before = { ...segment, ...patch }
          begin({ resource: 'segment', segment: before })
          if (before.name !== segment.name) await requireFreeName(queries, before.name)
          const next = await updateSegment(queries, segment, patch, clock.now())
          return { result: next, after: { resource: 'segment', segment: next } }
        }),
      )
      return { segment: segmentView(updated) }
    },
  }),
  delete: {
    policy: 'os_masakari_api:segments:delete',
    successStatus: 204,
    run: async ({ announcer, clock, store }, call) => {
      await announcer.change('delete', call.context, async (queries, begin) => {
        const segment = await requireIdleSegment(queries, store.kind, call.id('segments'))
        begin({ resource: 'segment', segment })
        await deleteSegment(queries, segment, clock.now())
        return { result: undefined, after: { resource: 'segment', segment } }
      })
      return undefined
    },
  },
}

/** @throws NotFoundError */
export async function requireSegment(queries: Queries, uuid: string): Promise<Segment> {
  const segment = isUuidLike(uuid) ? await findSegment(queries, uuid) : undefined
  if (segment === undefined) throw new NotFoundError(`No failover segment with id ${uuid}.`)
  return segment
}

/** @throws ConflictError while one of the segment's notifications is being worked on */
export async function requireNotInUse(queries: Queries, segmentUuid: string, what: string): Promise<void> {
  if (await isSegmentInUse(queries, segmentUuid)) {
    throw new ConflictError(
      `${what} can't be updated or deleted: failover segment ${segmentUuid} is under recovery. ` +
        'Wait until its notifications are finished, failed or ignored.',
    )
  }
}

async function requireIdleSegment(queries: Queries, kind: 'sqlite' | 'postgres', uuid: string): Promise<Segment> {
  await lockSegment(queries, kind, uuid)
  const segment = await requireSegment(queries, uuid)
  await requireNotInUse(queries, segment.uuid, `Failover segment ${segment.uuid}`)
  return segment
}

async function requireFreeName(queries: Queries, name: string): Promise<void> {
  if ((await findSegmentByName(queries, name)) !== undefined) throw nameTaken(name)
}

/** A name that was taken between the check and the insert is a conflict like any other. */
async function naming<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (isTaken(error, 'failover_segments', 'name')) throw nameTaken(name, error)
    throw error
  }
}

function nameTaken(name: string, cause?: unknown): ConflictError {
  return new ConflictError(`A failover segment with name ${name} already exists. Choose another name.`, { cause })
}

function takesEnabled(version: Microversion): boolean {
  return isAtLeast(version, 1, 2)
}

function enabledOf(segment: SegmentChange): boolean | undefined {
  return segment.enabled === undefined ? undefined : bodyBoolean(segment.enabled)
}

interface SegmentChange {
  readonly name?: string
  readonly service_type?: string
  readonly recovery_method?: Segment['recoveryMethod']
  readonly description?: string | null
  readonly enabled?: boolean | string
}

function patchOf(change: SegmentChange): SegmentPatch {
  const enabled = enabledOf(change)
  return {
    ...(change.name === undefined ? {} : { name: change.name }),
    ...(change.service_type === undefined ? {} : { serviceType: change.service_type }),
    ...(change.recovery_method === undefined ? {} : { recoveryMethod: change.recovery_method }),
    ...(change.description === undefined ? {} : { description: change.description }),
    ...(enabled === undefined ? {} : { enabled }),
  }
}

/** The filters, or undefined when they match nothing. */
function segmentFilters(query: Call['query']): Filter[] | undefined {
  const filters: Filter[] = []
  for (const column of ['recovery_method', 'service_type']) {
    const value = filterValue(query, column)
    if (value !== null) filters.push({ column, operator: '=', value })
  }
  const enabled = filterValue(query, 'enabled')
  if (enabled !== null) {
    const value = queryBoolean(enabled)
    if (value === undefined) return undefined
    filters.push({ column: 'enabled', operator: '=', value: value ? 1 : 0 })
  }
  return filters
}
