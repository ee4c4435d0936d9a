import { checkSatisfiable } from '../satisfiable.ts'
import type { PoolUses } from '../store-parts.ts'
import { acquire } from '../transitions/acquire.ts'
import { leaseOf } from '../transitions/grant.ts'
import { preempt } from '../transitions/preempt.ts'
import * as queue from '../transitions/queue.ts'
import * as uses from '../transitions/use.ts'
import type { RequestCursor } from './pool-reads.ts'
import type { Turns } from './turns.ts'

/** Who has machines, and who waits for them. */
export function usesOf(turns: Turns): PoolUses {
  return {
    async acquire(request) {
      return await turns.run(request.now, async (turn) => {
        checkSatisfiable(request, turn.settings.configuration)
        return await acquire(turn, request)
      })
    },

    async heartbeat(input) {
      return await turns.run(input.now, (turn) => uses.heartbeat(turn, input))
    },

    async release(input) {
      return await turns.run(input.now, (turn) => uses.release(turn, input))
    },

    async reattach(input) {
      const { lease, changes } = await turns.run(input.now, async (turn) => ({
        lease: await uses.reattach(turn, input),
      }))
      return lease === null ? null : { ...lease, changes }
    },

    async reclaim(input) {
      return await turns.run(input.now, (turn) => uses.reclaim(turn, input))
    },

    async request(id) {
      return await turns.reads.request(id)
    },

    async leases(requestId) {
      return (await turns.reads.byRequest(requestId)).map(leaseOf)
    },

    async requests(query) {
      const requests = await turns.reads.requestPage({ after: requestCursor(query.cursor), limit: query.limit })
      const last = requests.length < query.limit ? undefined : requests.at(-1)
      return { requests, cursor: last === undefined ? null : `${last.submittedAt}:${last.id}` }
    },

    async cancel(input) {
      return await turns.run(input.now, (turn) => queue.cancel(turn, input))
    },

    async requeue(input) {
      return await turns.run(input.now, (turn) => queue.requeue(turn, input))
    },

    async reorder(input) {
      return await turns.run(input.now, (turn) => queue.reorder(turn, input))
    },

    async expireRequests(input) {
      return await turns.run(input.now, (turn) => queue.expireRequests(turn, input))
    },

    async serve(input) {
      return await turns.run(input.now, (turn) => queue.serve(turn, input))
    },

    async preempt(input) {
      return await turns.run(input.now, (turn) => preempt(turn, input))
    },
  }
}

function requestCursor(cursor: string | null | undefined): RequestCursor | null {
  if (cursor === null || cursor === undefined) return null
  const colon = cursor.indexOf(':')
  return { submittedAt: Number(cursor.slice(0, colon)), id: cursor.slice(colon + 1) }
}
