import type { HttpApp } from '../../http/index.ts'
import { VmNotFoundError, PoolRequestNotFoundError } from '../errors.ts'
import { decisionText } from '../explain.ts'
import type { NativePool } from '../native-pool.ts'
import type { VmHistory } from '../vm-history.ts'
import { refusalOf } from '../choose-provider.ts'
import type { PoolStore, VmPage } from '../store.ts'
import { callerOf, maySee, requireAdmin, type Caller } from './access.ts'
import {
  ExplanationAnswer,
  FailureHoldsAnswer,
  HistoryAnswer,
  OverviewAnswer,
  PlanAnswer,
  ProvidersAnswer,
  RequestAnswer,
  RequestsAnswer,
  StatsAnswer,
  VmAnswer,
  VmsAnswer,
} from './answers.ts'
import { Id, Name, PageQuery, VmQuery } from './bodies.ts'
import { presentRequest, presentVm } from './present.ts'
import { requireVisibleGroup } from './visible-group.ts'

const DEFAULT_LIMIT = 100
const MOST = 1000

export interface LookRouteParts {
  readonly pool: NativePool
  readonly store: PoolStore
  readonly history: VmHistory
  readonly now: () => number
}

/** What can be looked at. Admins see everything, others what is theirs. Source: vm-pool.md C14-C16. */
export function lookRoutes(app: HttpApp, { pool, store, history, now }: LookRouteParts): void {
  const { desk } = pool

  app.get(
    '/api/v1/pools',
    {
      schema: {
        response: { 200: OverviewAnswer },
        description: 'Groups and labels with their counts, and who leads.',
      },
    },
    async (request) => {
      requireAdmin(request)
      const { leader, groups, labels: sizing } = await desk.stats()
      const configuration = await store.configuration()
      return { leader, groups, labels: sizing?.labels ?? [], rules: configuration }
    },
  )

  app.get(
    '/api/v1/pools/vms',
    {
      schema: {
        querystring: VmQuery,
        response: { 200: VmsAnswer },
        description:
          'Machines in the order of their names, in pages. 404 for a group that the caller knows nothing of.',
      },
    },
    async (request) => {
      const { group, state, owner, limit = String(DEFAULT_LIMIT), cursor } = request.query
      const caller = callerOf(request)
      const page = await visible(store, caller, {
        limit: Math.min(MOST, Math.max(1, Number(limit))),
        owner,
        cursor: cursor ?? null,
        ...(group === undefined ? {} : { group }),
        ...(state === undefined ? {} : { states: [state] }),
      })
      if (group !== undefined && page.vms.length === 0) await requireVisibleGroup(store, caller, group)
      return { vms: page.vms.map(presentVm), cursor: page.cursor }
    },
  )

  app.get(
    '/api/v1/pools/vms/:name',
    { schema: { params: Name, response: { 200: VmAnswer }, description: 'One machine.' } },
    async (request) => {
      const vm = await store.get(request.params.name)
      if (vm === null || !maySee(callerOf(request), vm.boundToUser)) throw new VmNotFoundError(request.params.name)
      return presentVm(vm)
    },
  )

  app.get(
    '/api/v1/pools/vms/:name/history',
    {
      schema: {
        params: Name,
        response: { 200: HistoryAnswer },
        description: 'What happened to a machine lately, the newest last.',
      },
    },
    async (request) => {
      requireAdmin(request)
      return { changes: history.of(request.params.name) }
    },
  )

  app.get(
    '/api/v1/pools/requests',
    {
      schema: {
        querystring: PageQuery,
        response: { 200: RequestsAnswer },
        description: 'Requests that wait, in the order of their submission.',
      },
    },
    async (request) => {
      const caller = callerOf(request)
      const { limit = String(DEFAULT_LIMIT), cursor } = request.query
      const page = await store.requests({ limit: Math.min(MOST, Math.max(1, Number(limit))), cursor: cursor ?? null })
      const requests = page.requests.filter(({ owner }) => maySee(caller, owner))
      return { requests: requests.map(presentRequest), cursor: page.cursor }
    },
  )

  app.get(
    '/api/v1/pools/requests/:id',
    {
      schema: {
        params: Id,
        response: { 200: RequestAnswer },
        description: 'A request that waits, or has ended lately.',
      },
    },
    async (request) => {
      const found = await store.request(request.params.id)
      if (found === null || !maySee(callerOf(request), found.owner))
        throw new PoolRequestNotFoundError(request.params.id)
      return presentRequest(found)
    },
  )

  app.get(
    '/api/v1/pools/plan',
    {
      schema: {
        response: { 200: PlanAnswer },
        description: 'What the next cycle would do, and why. Changes nothing.',
      },
    },
    async (request) => {
      requireAdmin(request)
      const { decisions, sizing } = await desk.plan()
      return {
        decisions: decisions.map((decision) => ({ ...decision, text: decisionText(decision) })),
        labels: sizing?.labels ?? [],
        unserved: sizing?.unserved ?? [],
        forecast: desk.forecast(),
      }
    },
  )

  app.get(
    '/api/v1/pools/explain/:id',
    {
      schema: {
        params: Id,
        response: { 200: ExplanationAnswer },
        description: 'What a machine or a request is doing, why it is not handed out or waits, and what comes next.',
      },
    },
    async (request) => {
      const { id } = request.params
      const caller = callerOf(request)
      const known = (await store.get(id))?.boundToUser ?? (await store.request(id))?.owner
      const owner = known ?? (await store.leases(id))[0]?.vm.boundToUser ?? null
      if (!maySee(caller, owner)) throw new PoolRequestNotFoundError(id)
      return await desk.explain(id)
    },
  )

  app.get(
    '/api/v1/pools/providers',
    {
      schema: {
        response: { 200: ProvidersAnswer },
        description: 'Where machines come from, and how that goes.',
      },
    },
    async (request) => {
      requireAdmin(request)
      const providers = await pool.providers()
      return { providers: providers.map((each) => ({ ...each, refusal: refusalOf(each, now(), pool.healthOptions) })) }
    },
  )

  app.get(
    '/api/v1/pools/stats',
    { schema: { response: { 200: StatsAnswer }, description: 'Counts by group and state.' } },
    async (request) => {
      requireAdmin(request)
      return await desk.stats()
    },
  )

  app.get(
    '/api/v1/pools/failure-holds',
    { schema: { response: { 200: FailureHoldsAnswer }, description: 'Which failing uses are kept.' } },
    async (request) => {
      requireAdmin(request)
      return { holds: await store.failureHolds() }
    },
  )
}

/** Pages until there is something to show, so that a tenant does not leaf through the machines of others. */
async function visible(
  store: PoolStore,
  caller: Caller,
  query: Parameters<PoolStore['list']>[0] & { readonly owner: string | undefined },
): Promise<VmPage> {
  const { owner, ...rest } = query
  const found: VmPage['vms'][number][] = []
  let { cursor = null } = query
  for (;;) {
    const page = await store.list({ ...rest, cursor })
    for (const vm of page.vms) {
      if (!maySee(caller, vm.boundToUser) || (owner !== undefined && vm.boundToUser !== owner)) continue
      found.push(vm)
      if (found.length === rest.limit) return { vms: found, cursor: vm.name }
    }
    if (page.cursor === null) return { vms: found, cursor: null }
    cursor = page.cursor
  }
}
