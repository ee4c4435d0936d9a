import { toJson, type JsonObject } from '../../core/json.ts'
import type * as port from '../store.ts'
import type { PoolLives } from '../store-parts.ts'
import { listOf, machinesOf, readObject } from './reply.ts'
import { byName, type PoolRunner } from './runner.ts'

/** How machines come, are checked, set aside and go. */
export function livesOf(runner: PoolRunner): PoolLives {
  return {
    async requestSpawn({ now, ...input }) {
      const answer = await runner.run('spawn-request', now, { ...input, ignoreRate: input.ignoreRate ?? false }, input)
      const { result, changes } = answer
      const [vm] = machinesOf(answer)
      if (vm !== undefined) return { outcome: 'requested', vm, changes }
      const { kind, limit, count } = result as unknown as { kind: port.SpawnRefusalKind; limit: number; count: number }
      return { outcome: 'refused', kind, limit, count, changes }
    },

    async building({ now, ...input }) {
      return await runner.change('change', now, { verb: 'building', ...input })
    },

    async spawned({ now, providerData, ...input }) {
      return await runner.change('change', now, { verb: 'spawned', ...input, providerData: json(providerData) })
    },

    async spawnFailed({ now, ...input }) {
      return await runner.change('change', now, { verb: 'spawnFailed', ...input })
    },

    async addVm({ now, providerData, ...input }) {
      return await runner.change('change', now, { verb: 'add', ...input, providerData: json(providerData) })
    },

    async startChecks({ now, fence, checks }) {
      return await runner.each('startCheck', now, checks, { fence })
    },

    async checkPassed({ now, ...input }) {
      return await runner.change('check-result', now, { result: 'passed', ...input })
    },

    async checkFailed({ now, ...input }) {
      return await runner.change('check-result', now, { result: 'failed', ...input })
    },

    async checkNotLaunched({ now, ...input }) {
      return await runner.change('check-result', now, { result: 'not_launched', ...input })
    },

    async checksGivenUp({ now, fence, names }) {
      return await runner.each('giveUpCheck', now, byName(names), { fence })
    },

    async recheck({ now, names }) {
      return await runner.each('recheck', now, byName(names), {})
    },

    async resetDone({ now, ...input }) {
      return await runner.change('change', now, { verb: 'resetDone', ...input })
    },

    async standBy({ now, ...input }) {
      return await runner.change('change', now, { verb: 'standBy', ...input })
    },

    async wake({ now, ...input }) {
      return await runner.change('change', now, { verb: 'wake', ...input })
    },

    async hold({ now, until, ...input }) {
      return await runner.change('change', now, { verb: 'hold', ...input, untilMs: until })
    },

    async unhold({ now, names }) {
      return await runner.each('unhold', now, byName(names), {})
    },

    async holdOnFailure(rule) {
      await runner.connection.ask(['HSET', `${runner.prefix}n:failure-holds`, rule.id, toJson(rule)])
    },

    async failureHolds() {
      const reply = await runner.connection.ask(['HVALS', `${runner.prefix}n:failure-holds`])
      const rules = (listOf(reply) as readonly string[]).map((text) => readObject(text) as unknown as port.FailureHold)
      return rules.sort((a, b) => (a.id < b.id ? -1 : 1))
    },

    async dropFailureHold(id) {
      return (await runner.connection.ask(['HDEL', `${runner.prefix}n:failure-holds`, id])) === 1
    },

    async drain({ now, names, mode }) {
      return await runner.each('drain', now, byName(names), { mode })
    },

    async undrain({ now, names }) {
      return await runner.each('undrain', now, byName(names), {})
    },

    async terminate({ now, names, by, reason, allowedFrom }) {
      const right = 'operator' in by ? { force: by.force } : by
      const input = { ...right, reason, allowedFrom: allowedFrom ?? null }
      return await runner.each('terminate', now, byName(names), input)
    },

    async terminationAsked({ now, fence, vms }) {
      return await runner.each('terminationAsked', now, vms, { fence })
    },

    async markStuck({ now, ...input }) {
      return await runner.change('change', now, { verb: 'markStuck', ...input })
    },

    async remove({ now, ...input }) {
      return await runner.change('change', now, { verb: 'remove', ...input })
    },

    async lost({ now, ...input }) {
      return await runner.change('change', now, { verb: 'lost', ...input })
    },

    async postponeRetirement(input) {
      const { now, fence, names, until } = input
      return await runner.each('postponeRetirement', now, byName(names), { fence, untilMs: until })
    },
  }
}

function json(value: JsonObject | null | undefined): string | null {
  return value === null || value === undefined ? null : toJson(value)
}
