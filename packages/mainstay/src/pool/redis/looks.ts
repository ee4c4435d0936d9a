import { isJsonObject, type JsonObject } from '../../core/json.ts'
import { dueKinds } from '../deadlines.ts'
import { DEFAULT_GROUP_RULES, type GroupRules } from '../options.ts'
import { indexKey } from '../placements.ts'
import { VM_STATES } from '../state.ts'
import type * as port from '../store.ts'
import type { PoolLooks } from '../store-parts.ts'
import { listOf, machinesOf, readObject } from './reply.ts'
import type { PoolRunner } from './runner.ts'

/** What can be looked at; nothing is changed. */
export function looksOf(runner: PoolRunner): PoolLooks {
  return {
    async due({ now, limit }) {
      const answer = await runner.run('due', now, { limit })
      const { more, requests, started, rules } = answer.result
      const texts = isJsonObject(rules ?? null) ? (rules as JsonObject) : {}
      const byGroup = new Map(
        Object.entries(texts).map(([group, text]) => [group, readObject(text as string) as unknown as GroupRules]),
      )
      return {
        vms: machinesOf(answer).map((vm) => {
          const rule = byGroup.get(vm.group) ?? { ...DEFAULT_GROUP_RULES, id: vm.group }
          return { vm, kinds: dueKinds(vm, rule, Number(started), now) }
        }),
        more: more === true,
        requests: Number(requests),
      }
    },

    async nextDue() {
      const reply = await runner.connection.ask(['ZRANGE', `${runner.prefix}n:due`, '0', '0', 'WITHSCORES'])
      const [, score] = listOf(reply)
      return score === undefined ? null : Number(score)
    },

    async get(name) {
      return machinesOf(await runner.run('look', 0, { verb: 'names', names: [name] }))[0] ?? null
    },

    async getMany(names) {
      return machinesOf(await runner.run('look', 0, { verb: 'names', names }))
    },

    async byIp(ip) {
      return await runner.index(indexKey.ip(ip))
    },

    async byTask(taskId) {
      return await runner.index(indexKey.task(taskId))
    },

    async list({ group, states, limit, cursor }) {
      const groups = group !== undefined ? [group] : states === undefined ? [] : await runner.groupIds()
      const filter = { group: group ?? null, states: states ?? null, groups }
      const answer = await runner.run('look', 0, { verb: 'page', ...filter, after: cursor ?? null, limit })
      const next = answer.result['cursor']
      return { vms: machinesOf(answer), cursor: typeof next === 'string' ? next : null }
    },

    async counts({ now }) {
      const groups = await runner.groupIds()
      const { result } = await runner.run('look', now, { verb: 'counts', groups, states: VM_STATES })
      return listOf(result['groups']).map((each) => {
        const counts = each as Omit<port.GroupCounts, 'lastSpawnStart'> & { readonly lastSpawnStart?: number }
        return { ...counts, lastSpawnStart: counts.lastSpawnStart ?? null }
      })
    },

    async usage(owners) {
      const groups = await runner.groupIds()
      const { result } = await runner.run('look', 0, { verb: 'usage', owners, groups })
      return listOf(result['owners']) as readonly port.OwnerUsage[]
    },

    async readInfo(group, key) {
      const reply = await runner.connection.ask(['HGET', `${runner.prefix}vm_pool_info:hset::${group}`, key])
      return typeof reply === 'string' ? reply : null
    },

    async writeInfo(group, key, value) {
      await runner.connection.ask(['HSET', `${runner.prefix}vm_pool_info:hset::${group}`, key, value])
    },
  }
}
