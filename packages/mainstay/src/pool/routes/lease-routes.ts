import type { FastifyReply, FastifyRequest } from 'fastify'

import type { Clock } from '../../core/clock.ts'
import type { HttpApp } from '../../http/index.ts'
import { RequestAbortedError, requestContextOf } from '../../http/index.ts'
import type { Acquired } from '../await-grant.ts'
import { PoolRequestNotFoundError, VmLeaseLostError } from '../errors.ts'
import type { PoolManager } from '../manager.ts'
import type { PoolMetrics } from '../metrics.ts'
import { callerOf, maySee, ownerOf } from './access.ts'
import { HeartbeatAnswer, LeaseAnswer, LeasesAnswer, NameAnswer, Nothing, VmAnswer, WaitingAnswer } from './answers.ts'
import { AcquireBody, GiveUpBody, Id, Name, ReattachBody, ReleaseBody, TokenBody, WaitQuery } from './bodies.ts'
import { presentLease, presentRequest, presentVm } from './present.ts'

export interface LeaseRouteParts {
  readonly manager: PoolManager
  readonly clock: Clock
  readonly metrics: PoolMetrics
  /** The longest that one call waits, in milliseconds. */
  readonly longestPollMs: number
}

/** What workers do: take a machine, keep it, give it back. Source: vm-pool.md C4, C5, C15. */
export function leaseRoutes(app: HttpApp, { manager, clock, metrics, longestPollMs }: LeaseRouteParts): void {
  const granted = ({ requestId, leases }: Extract<Acquired, { outcome: 'granted' }>) => {
    const now = clock.now()
    return { requestId, leases: leases.map((lease) => presentLease(lease, now)) }
  }
  const waiting = ({ request, refusals }: Extract<Acquired, { outcome: 'waiting' }>) => {
    return { requestId: request.id, request: presentRequest(request), refusals }
  }
  const polling = (reply: FastifyReply, pollMs: number): { signal: AbortSignal; untilMs: number } => ({
    signal: closeSignal(reply),
    untilMs: clock.now() + Math.min(longestPollMs, pollMs),
  })

  app.post(
    '/api/v1/pools/leases',
    {
      schema: {
        body: AcquireBody,
        response: { 201: LeasesAnswer, 202: WaitingAnswer },
        description: 'Takes machines, or waits for them: 201 with leases, 202 while it waits.',
      },
    },
    async (request, reply) => {
      const { pollMs = longestPollMs, owner, ...input } = request.body
      const wish = {
        ...input,
        owner: ownerOf(callerOf(request), owner),
        requestId: input.requestId ?? requestIdOf(request),
      }
      const acquired = await manager.acquire(wish, polling(reply, pollMs))
      if (acquired.outcome === 'granted') return await reply.code(201).send(granted(acquired))
      return await reply.code(202).send(waiting(acquired))
    },
  )

  app.get(
    '/api/v1/pools/leases/:id',
    {
      schema: {
        params: Id,
        querystring: WaitQuery,
        response: { 201: LeasesAnswer, 202: WaitingAnswer },
        description:
          'The leases of a request; waits for them as long as asked. Checks them as an acquire does, unless "check" is false.',
      },
    },
    async (request, reply) => {
      const { id } = request.params
      const pollMs = Number(request.query.pollMs ?? longestPollMs)
      const known = await manager.store.request(id)
      const [first] = known === null ? await manager.store.leases(id) : []
      const owner = known?.owner ?? first?.vm.boundToUser ?? null
      if (!maySee(callerOf(request), owner) || owner === null) throw new PoolRequestNotFoundError(id)
      const check = request.query.check !== 'false'
      const acquired = await manager.await(id, { ...polling(reply, pollMs), check })
      if (acquired.outcome === 'granted') return await reply.code(201).send(granted(acquired))
      return await reply.code(202).send(waiting(acquired))
    },
  )

  const counted = async <T>(call: 'release' | 'heartbeat' | 'terminate', work: () => Promise<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      if (error instanceof VmLeaseLostError) metrics.refused(call)
      throw error
    }
  }

  app.post(
    '/api/v1/pools/vms/:name/heartbeat',
    {
      schema: {
        params: Name,
        body: TokenBody,
        response: { 200: HeartbeatAnswer },
        description: 'Prolongs a lease, and says whether the machine is wanted back.',
      },
    },
    async ({ params, body }) => {
      const { expiresAt, preemptAt } = await counted(
        'heartbeat',
        async () => await manager.heartbeat({ ...params, ...body }),
      )
      const now = clock.now()
      return { expiresInMs: expiresAt - now, preemptInMs: preemptAt === null ? null : Math.max(0, preemptAt - now) }
    },
  )

  app.post(
    '/api/v1/pools/vms/:name/release',
    {
      schema: { params: Name, body: ReleaseBody, response: { 200: VmAnswer }, description: 'Gives a machine back.' },
    },
    async ({ params, body }) => {
      return presentVm(await counted('release', async () => await manager.release({ ...params, ...body })))
    },
  )

  app.post(
    '/api/v1/pools/vms/:name/give-up',
    {
      schema: {
        params: Name,
        body: GiveUpBody,
        response: { 202: NameAnswer },
        description: 'Destroys a machine that its holder calls broken.',
      },
    },
    async ({ params, body }, reply) => {
      await counted('terminate', async () => await manager.giveUp({ ...params, ...body }))
      return await reply.code(202).send({ name: params.name })
    },
  )

  app.post(
    '/api/v1/pools/reattach',
    {
      schema: {
        body: ReattachBody,
        response: { 200: LeaseAnswer, 204: Nothing },
        description: 'Takes over the machine of a task whose worker is gone; 204 when there is none.',
      },
    },
    async (request, reply) => {
      const owner = ownerOf(callerOf(request), request.body.owner)
      const lease = await manager.reattach({ ...request.body, owner })
      if (lease === null) return await reply.code(204).send(undefined)
      return presentLease(lease, clock.now())
    },
  )
}

/** The id of the HTTP request, so that a request that names none is found in the log. */
function requestIdOf(request: FastifyRequest): string {
  return requestContextOf(request).requestId
}

/** Aborted when the client goes away before it has its answer. */
export function closeSignal(reply: FastifyReply): AbortSignal {
  const controller = new AbortController()
  reply.raw.once('close', () => {
    if (!reply.raw.writableFinished) controller.abort(new RequestAbortedError())
  })
  return controller.signal
}
