import { InvalidInputError } from '../../core/errors.ts'
import type { HttpApp } from '../../http/index.ts'
import { PoolGroupNotFoundError, PoolRequestNotFoundError } from '../errors.ts'
import type { FailureHold } from '../store.ts'
import { callerOf, maySee, requireAdmin } from './access.ts'
import {
  EndedRequestAnswer,
  GroupDrainAnswer,
  IdAnswer,
  Nothing,
  ProviderAnswer,
  ProviderDrainAnswer,
  ReconcileAnswer,
  RulesAnswer,
} from './answers.ts'
import { DrainBody, FailureHoldBody, Id, ReasonBody, ReconcileBody, ReorderBody } from './bodies.ts'
import { closeSignal } from './lease-routes.ts'
import type { OperatorRouteParts } from './operator-route-parts.ts'
import { vmChangeRoutes } from './vm-change-routes.ts'

const DAY_MS = 86_400_000

const DRAIN_TEXTS = {
  drain: {
    group: 'Hands nothing of a group out any more, and makes nothing new for it.',
    provider: 'Makes nothing at a provider any more, and drains what it made.',
  },
  undrain: { group: 'Undoes the drain of a group.', provider: 'Undoes the drain of a provider.' },
} as const

/** What operators do; each is recorded with who did it and why. Source: vm-pool.md C12, C15, C20. */
export function operatorRoutes(app: HttpApp, parts: OperatorRouteParts): void {
  vmChangeRoutes(app, parts)
  requestRoutes(app, parts)
  wholeRoutes(app, parts)
}

function requestRoutes(app: HttpApp, { pool, store, audit }: OperatorRouteParts): void {
  const { operator } = pool

  app.post(
    '/api/v1/pools/requests/:id/cancel',
    {
      schema: {
        params: Id,
        body: ReasonBody,
        response: { 200: EndedRequestAnswer },
        description: 'Ends a request that waits; its owner may, too.',
      },
    },
    async (request) => {
      const { id } = request.params
      const { reason } = request.body
      const caller = callerOf(request)
      const found = await store.request(id)
      if (found !== null && !maySee(caller, found.owner)) throw new PoolRequestNotFoundError(id)
      await operator.cancel(id, reason)
      audit({ action: 'cancel-request', subject: id, actor: caller.actor, reason })
      return { id, status: 'cancelled' }
    },
  )

  app.post(
    '/api/v1/pools/requests/:id/reorder',
    {
      schema: {
        params: Id,
        body: ReorderBody,
        response: { 200: IdAnswer },
        description: 'Gives a request another priority, or moves it ahead of another of its owner.',
      },
    },
    async (request) => {
      const { id } = request.params
      const { reason, priority, ahead } = request.body
      const { actor } = requireAdmin(request)
      if (priority === undefined && ahead === undefined) {
        throw new InvalidInputError('Say what changes: a priority, or ahead of which request.')
      }
      await operator.reorder({
        id,
        ...(priority === undefined ? {} : { priority }),
        ...(ahead === undefined ? {} : { ahead }),
      })
      audit({ action: 'reorder-request', subject: id, actor, reason })
      return { id }
    },
  )

  app.post(
    '/api/v1/pools/failure-holds',
    {
      schema: {
        body: FailureHoldBody,
        response: { 201: IdAnswer },
        description: 'Keeps the machine of the next use that fails.',
      },
    },
    async (request, reply) => {
      const { actor } = requireAdmin(request)
      const { holdMs = DAY_MS, expiresInMs = 7 * DAY_MS, reason } = request.body
      const match = matchOf(request.body)
      const id = await operator.holdOnFailure({ match, holdMs, expiresInMs, reason, by: actor })
      audit({ action: 'hold-on-failure', subject: id, actor, reason })
      return await reply.code(201).send({ id })
    },
  )

  app.delete(
    '/api/v1/pools/failure-holds/:id',
    { schema: { params: Id, response: { 204: Nothing }, description: 'Keeps no failing use by this rule any more.' } },
    async (request, reply) => {
      const { actor } = requireAdmin(request)
      const { id } = request.params
      if (await store.dropFailureHold(id)) audit({ action: 'drop-failure-hold', subject: id, actor, reason: '' })
      return await reply.code(204).send(undefined)
    },
  )
}

function wholeRoutes(app: HttpApp, { pool, store, audit, reload }: OperatorRouteParts): void {
  const requireGroup = async (id: string): Promise<void> => {
    const { groups } = await store.configuration()
    if (!groups.some((group) => group.id === id)) throw new PoolGroupNotFoundError(id)
  }
  const requireProvider = (name: string): void => {
    if (!pool.desk.providers().some((provider) => provider.name === name)) {
      throw new InvalidInputError(`The pool has no provider ${name}. "mainstay pool providers" shows them.`)
    }
  }

  for (const action of ['drain', 'undrain'] as const) {
    app.post(
      `/api/v1/pools/groups/:id/${action}`,
      {
        schema: {
          params: Id,
          body: DrainBody,
          response: { 200: GroupDrainAnswer },
          description: DRAIN_TEXTS[action].group,
        },
      },
      async (request) => {
        const { id } = request.params
        const { mode = 'terminate', reason } = request.body
        const { actor } = requireAdmin(request)
        await requireGroup(id)
        await pool.drainGroup(id, action === 'drain' ? mode : null)
        audit({ action: `${action}-group`, subject: id, actor, reason })
        return { group: id, drain: action === 'drain' ? mode : null }
      },
    )

    app.post(
      `/api/v1/pools/providers/:id/${action}`,
      {
        schema: {
          params: Id,
          body: DrainBody,
          response: { 200: ProviderDrainAnswer },
          description: DRAIN_TEXTS[action].provider,
        },
      },
      async (request) => {
        const { id } = request.params
        const { mode = 'terminate', reason } = request.body
        const { actor } = requireAdmin(request)
        requireProvider(id)
        await pool.drainProvider(id, action === 'drain' ? mode : null)
        audit({ action: `${action}-provider`, subject: id, actor, reason })
        return { provider: id, drain: action === 'drain' ? mode : null }
      },
    )
  }

  app.post(
    '/api/v1/pools/providers/:id/enable',
    {
      schema: {
        params: Id,
        body: ReasonBody,
        response: { 200: ProviderAnswer },
        description: 'Asks a provider again at once, whatever it did before.',
      },
    },
    async (request) => {
      const { id } = request.params
      const { actor } = requireAdmin(request)
      requireProvider(id)
      await pool.enableProvider(id)
      audit({ action: 'enable-provider', subject: id, actor, reason: request.body.reason })
      return { provider: id }
    },
  )

  app.post(
    '/api/v1/pools/reconcile',
    {
      schema: {
        body: ReconcileBody,
        response: { 200: ReconcileAnswer },
        description: 'Compares the records with what the providers show; nothing is done with dryRun.',
      },
    },
    async (request, reply) => {
      const { dryRun = false, confirm = [], reason } = request.body
      const { actor } = requireAdmin(request)
      const confirmed = confirm.length === 0 ? {} : { confirmed: new Set(confirm) }
      const report = await pool.reconcile({ signal: closeSignal(reply), dryRun, ...confirmed })
      if (!dryRun) audit({ action: 'reconcile', subject: confirm.join(' '), actor, reason })
      return report
    },
  )

  app.put(
    '/api/v1/pools/configuration',
    {
      schema: { body: ReasonBody, response: { 200: RulesAnswer }, description: 'Reads the configuration file again.' },
    },
    async (request) => {
      const { actor } = requireAdmin(request)
      if (reload === null)
        throw new InvalidInputError('This process was started without a configuration that it could read again.')
      await reload()
      audit({ action: 'reload', subject: 'configuration', actor, reason: request.body.reason })
      return { rules: await store.configuration() }
    },
  )
}

/** @throws InvalidInputError unless exactly one is said */
function matchOf(body: { taskId?: string; label?: string; group?: string }): FailureHold['match'] {
  const { taskId, label, group } = body
  if ([taskId, label, group].filter((each) => each !== undefined).length > 1) {
    throw new InvalidInputError(
      'Say which failing use is meant by one of a taskId, a label or a group; make a rule for each.',
    )
  }
  if (taskId !== undefined) return { taskId }
  if (label !== undefined) return { label }
  if (group !== undefined) return { group }
  throw new InvalidInputError('Say which failing use is meant: a taskId, a label or a group.')
}
