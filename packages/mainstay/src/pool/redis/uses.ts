import type { JsonObject } from '../../core/json.ts'
import { indexKey } from '../placements.ts'
import type { PoolRequest } from '../request.ts'
import { checkSatisfiable } from '../satisfiable.ts'
import type { PoolUses } from '../store-parts.ts'
import { asRequest, mayWait } from '../transitions/acquire.ts'
import { leaseOf } from '../transitions/grant.ts'
import { machinesOf, readObject, readRefusals, readRequest } from './reply.ts'
import { byName, type PoolRunner } from './runner.ts'

/** Who has machines, and who waits for them. */
export function usesOf(runner: PoolRunner): PoolUses {
  return {
    async acquire(input) {
      try {
        checkSatisfiable(input, runner.known)
      } catch {
        // The rules may have changed since they were read.
        checkSatisfiable(input, await runner.configuration())
      }
      const request = withoutNulls(asRequest(input, input.now))
      const answer = await runner.run('acquire', input.now, { request, waits: mayWait(input) })
      const { result, changes } = answer
      switch (result['outcome']) {
        case 'granted':
          return { outcome: 'granted', leases: machinesOf(answer).map(leaseOf), changes }
        case 'ended':
          return { outcome: 'ended', request: readRequest(result['request']), changes }
        case 'waiting': {
          const refusals = readRefusals(result['refusals'])
          return { outcome: 'waiting', request: readRequest(result['request']), refusals, changes }
        }
        default:
          return { outcome: 'unavailable', refusals: readRefusals(result['refusals']), changes }
      }
    },

    async heartbeat({ now, ...input }) {
      const about = { name: input.name, what: 'heartbeat' }
      const { result, changes } = await runner.run('heartbeat', now, input, about)
      return {
        expiresAt: result['expiresAt'] as number,
        preemptAt: (result['preemptAt'] as number | undefined) ?? null,
        changes,
      }
    },

    async release({ now, ...input }) {
      const about = { name: input.name, what: 'release' }
      const answer = await runner.run('release', now, { ...input, failed: input.failed ?? false }, about)
      return { vm: machinesOf(answer)[0]!, changes: answer.changes }
    },

    async reattach({ now, ...input }) {
      const answer = await runner.run('reattach', now, input)
      const [vm] = machinesOf(answer)
      return vm === undefined ? null : { ...leaseOf(vm), changes: answer.changes }
    },

    async reclaim({ now, fence, names }) {
      return await runner.each('reclaim', now, byName(names), { fence })
    },

    async request(id) {
      const reply = await runner.connection.ask(['GET', `${runner.prefix}n:request::${id}`])
      return typeof reply === 'string' ? readRequest(readObject(reply)) : null
    },

    async leases(requestId) {
      return (await runner.index(indexKey.request(requestId))).map(leaseOf)
    },

    async requests({ limit, cursor }) {
      const colon = cursor?.indexOf(':') ?? -1
      const after =
        typeof cursor === 'string' ? { submittedAt: Number(cursor.slice(0, colon)), id: cursor.slice(colon + 1) } : null
      const { rest } = await runner.run('look', 0, { verb: 'requests', after, limit })
      const requests = rest.map((text) => readRequest(readObject(String(text))))
      const last = requests.length < limit ? undefined : requests.at(-1)
      return { requests, cursor: last === undefined ? null : `${last.submittedAt}:${last.id}` }
    },

    async cancel({ now, ...input }) {
      return await runner.change('queue', now, { verb: 'cancel', ...input })
    },

    async requeue({ now, ...input }) {
      return await runner.change('queue', now, { verb: 'requeue', ...input })
    },

    async reorder({ now, ...input }) {
      return await runner.change('queue', now, { verb: 'reorder', ...input })
    },

    async expireRequests({ now, ...input }) {
      return await runner.change('queue', now, { verb: 'expire', ...input })
    },

    async serve({ now, ...input }) {
      return await runner.change('queue', now, { verb: 'serve', ...input })
    },

    async preempt({ now, fence, requestId }) {
      return await runner.change('queue', now, { verb: 'preempt', fence, id: requestId })
    },
  }
}

function withoutNulls(request: PoolRequest): JsonObject {
  return Object.fromEntries(Object.entries(request).filter(([, value]) => value !== null))
}
