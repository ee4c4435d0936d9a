import { BadRequestError, ConflictError, NotFoundError } from '../../http/errors.ts'
import { withDeadline } from '../../core/deadline.ts'
import { isTaken, type Queries } from '../../store/index.ts'
import { hostFromValues, type Host } from '../records/host.ts'
import type { Segment } from '../records/segment.ts'
import { bodyBoolean, queryBoolean } from '../rules/boolean.ts'
import { isUuidLike } from '../rules/text.ts'
import { deleteHost, findHost, findHostByName, insertHost, updateHost, type HostPatch } from '../store/hosts.ts'
import { listRecords, type Filter } from '../store/list-records.ts'
import { lockSegment } from '../store/lock-row.ts'
import { bodyAction, type Action, type ActionDeps, type Call } from './action.ts'
import * as schemas from './host-schema.ts'
import { filterValue, readLimit, readPage } from './list-query.ts'
import { requireNotInUse, requireSegment } from './segment-actions.ts'
import { hostView } from './views.ts'

/** Hosts of a segment. Source: ha-api.md 7. */
export const hostActions: Readonly<Record<'index' | 'create' | 'show' | 'update' | 'delete', Action>> = {
  index: {
    policy: 'os_masakari_api:os-hosts:index',
    successStatus: 200,
    run: async ({ store, options }, call) => {
      const limit = readLimit(call.query, options.maxLimit)
      const segment = await requireSegment(store.read, call.id('segments'))
      const filters = hostFilters(call.query, segment)
      if (limit === 0) return { hosts: [] }
      const rows = await listRecords(store, 'hosts', filters, readPage(call.query, limit))
      return { hosts: rows.map((values) => hostView(hostFromValues(values), segment)) }
    },
  },
  create: bodyAction({
    policy: 'os_masakari_api:os-hosts:create',
    successStatus: 201,
    schema: () => schemas.createHost,
    run: async (deps, { body: { host }, ...call }) => {
      const { announcer, clock, ids, store } = deps
      const known = await requireSegment(store.read, call.id('segments'))
      await requireComputeHost(deps, host.name, call.signal)
      const wanted = {
        uuid: ids.random(),
        name: host.name,
        segmentUuid: known.uuid,
        type: host.type,
        controlAttributes: host.control_attributes,
        reserved: bodyBoolean(host.reserved ?? false),
        onMaintenance: bodyBoolean(host.on_maintenance ?? false),
      }
      const created = await naming(host.name, () =>
        announcer.change('create', call.context, async (queries, begin) => {
          await lockSegment(queries, store.kind, known.uuid)
          const segment = await requireSegment(queries, known.uuid)
          const { uuid: _notYetKnown, ...before } = wanted
          begin({ resource: 'host', host: before, segment })
          await requireFreeName(queries, wanted.name)
          const inserted = await insertHost(queries, wanted, clock.now())
          return { result: hostView(inserted, segment), after: { resource: 'host', host: inserted, segment } }
        }),
      )
      return { host: created }
    },
  }),
  show: {
    policy: 'os_masakari_api:os-hosts:detail',
    successStatus: 200,
    run: async ({ store }, call) => {
      const { host, segment } = await requireHost(store.read, call)
      return { host: hostView(host, segment) }
    },
  },
  update: bodyAction({
    policy: 'os_masakari_api:os-hosts:update',
    successStatus: 200,
    schema: () => schemas.updateHost,
    run: async (deps, call) => {
      const { announcer, clock, store } = deps
      const patch = patchOf(call.body.host)
      const known = await requireHost(store.read, call)
      await requireNotInUse(store.read, known.segment.uuid, `Host ${known.host.uuid}`)
      if (patch.name !== undefined) await requireComputeHost(deps, patch.name, call.signal)
      const updated = await naming(patch.name ?? '', () =>
        announcer.change('update', call.context, async (queries, begin) => {
          await lockSegment(queries, store.kind, known.segment.uuid)
          const { host, segment } = await requireHost(queries, call)
          await requireNotInUse(queries, segment.uuid, `Host ${host.uuid}`)
          const before = { ...host, ...patch }
          begin({ resource: 'host', host: before, segment })
          if (before.name !== host.name) await requireFreeName(queries, before.name)
          const next = await updateHost(queries, host, patch, clock.now())
          return { result: hostView(next, segment), after: { resource: 'host', host: next, segment } }
        }),
      )
      return { host: updated }
    },
  }),
  delete: {
    policy: 'os_masakari_api:os-hosts:delete',
    successStatus: 204,
    run: async ({ announcer, clock, store }, call) => {
      await announcer.change('delete', call.context, async (queries, begin) => {
        await lockSegment(queries, store.kind, call.id('segments'))
        const { host, segment } = await requireHost(queries, call)
        await requireNotInUse(queries, segment.uuid, `Host ${host.uuid}`)
        begin({ resource: 'host', host, segment })
        await deleteHost(queries, host, clock.now())
        return { result: undefined, after: { resource: 'host', host, segment } }
      })
      return undefined
    },
  },
}

/** The host in the segment of the path. @throws NotFoundError naming both ids */
async function requireHost(queries: Queries, { id }: Pick<Call, 'id'>): Promise<{ host: Host; segment: Segment }> {
  const [hostId, segmentId] = [id('hosts'), id('segments')]
  const host = isUuidLike(hostId) ? await findHost(queries, hostId) : undefined
  if (host === undefined || host.segmentUuid !== segmentId) {
    throw new NotFoundError(`No host with id ${hostId} in failover segment ${segmentId}.`)
  }
  return { host, segment: await requireSegment(queries, segmentId) }
}

/** @throws BadRequestError when the compute platform knows no such host */
async function requireComputeHost(deps: ActionDeps, name: string, signal: AbortSignal): Promise<void> {
  const { clock, options, platform } = deps
  const known = await withDeadline(
    { clock, what: `Looking up compute host ${name}`, timeoutMs: options.computeCheckTimeoutMs, signal },
    async (inner) => await platform.computeHostExists(name, { signal: inner }),
  )
  if (!known) {
    throw new BadRequestError(
      `Compute host ${name} could not be found. Give the name as the compute platform spells it.`,
    )
  }
}

async function requireFreeName(queries: Queries, name: string): Promise<void> {
  if ((await findHostByName(queries, name)) !== undefined) throw nameTaken(name)
}

async function naming<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (isTaken(error, 'hosts', 'name')) throw nameTaken(name, error)
    throw error
  }
}

function nameTaken(name: string, cause?: unknown): ConflictError {
  return new ConflictError(
    `A host with name ${name} already exists. A host belongs to one segment: delete it there first.`,
    { cause },
  )
}

interface HostChange {
  readonly name?: string
  readonly type?: string
  readonly control_attributes?: string
  readonly reserved?: boolean | string
  readonly on_maintenance?: boolean | string
}

function patchOf(change: HostChange): HostPatch {
  return {
    ...(change.name === undefined ? {} : { name: change.name }),
    ...(change.type === undefined ? {} : { type: change.type }),
    ...(change.control_attributes === undefined ? {} : { controlAttributes: change.control_attributes }),
    ...(change.reserved === undefined ? {} : { reserved: bodyBoolean(change.reserved) }),
    ...(change.on_maintenance === undefined ? {} : { onMaintenance: bodyBoolean(change.on_maintenance) }),
  }
}

/** @throws BadRequestError when a boolean is unintelligible */
function hostFilters(query: URLSearchParams, segment: Segment): Filter[] {
  const filters: Filter[] = [{ column: 'failover_segment_id', operator: '=', value: segment.uuid }]
  const type = filterValue(query, 'type')
  if (type !== null) filters.push({ column: 'type', operator: '=', value: type })
  for (const column of ['on_maintenance', 'reserved']) {
    const text = filterValue(query, column)
    if (text === null) continue
    const value = queryBoolean(text)
    if (value === undefined) {
      throw new BadRequestError(`The value '${text}' of parameter ${column} is not a boolean. Use true or false.`)
    }
    filters.push({ column, operator: '=', value: value ? 1 : 0 })
  }
  return filters
}
