import { dueKinds } from '../deadlines.ts'
import type { VmDescriptor } from '../descriptor.ts'
import { DEFAULT_GROUP_RULES, type GroupRules } from '../options.ts'
import { LAST_SPAWN, parseSeconds } from '../seconds.ts'
import { VM_STATES, type VmState } from '../state.ts'
import type * as port from '../store.ts'
import type { PoolLooks } from '../store-parts.ts'
import { checkedAfterFor } from '../transitions/pick.ts'
import type { Settings } from '../transitions/tables.ts'
import type { Turns } from './turns.ts'

/** What can be looked at; nothing is changed. */
export function looksOf(turns: Turns): PoolLooks {
  return {
    async due({ now, limit }) {
      const settings = await turns.reads.settings()
      const found = await turns.reads.due(now, limit + 1)
      return {
        vms: found.slice(0, limit).map((vm) => ({ vm, kinds: dueNow(vm, settings, now) })),
        more: found.length > limit,
        requests: await turns.reads.countOverdueRequests(now, settings.configuration.pool.requestRetentionMs),
      }
    },

    async nextDue() {
      return await turns.reads.nextDeadline()
    },

    async get(name) {
      return await turns.reads.vm(name)
    },

    async getMany(names) {
      return await turns.reads.vms(names)
    },

    async byIp(ip) {
      return await turns.reads.byIp(ip)
    },

    async byTask(taskId) {
      return await turns.reads.byTask(taskId)
    },

    async list({ group, states, limit, cursor }) {
      const vms = await turns.reads.page({ group: group ?? null, states: states ?? null, after: cursor ?? null, limit })
      return { vms, cursor: vms.length < limit ? null : vms.at(-1)!.name }
    },

    async counts({ now }) {
      const settings = await turns.reads.settings()
      const states = await turns.reads.stateCounts()
      const groups = new Set([...settings.configuration.groups.map(({ id }) => id), ...states.keys()])
      return await Promise.all(
        [...groups].map(async (group) => ({
          group,
          states: allStates(states.get(group) ?? {}),
          free: await turns.reads.countFree(group, checkedAfterFor(settings, now, ruleOf(settings, group))),
          clean: await turns.reads.countFree(group, Number.NEGATIVE_INFINITY),
          waiting: await turns.reads.countWaiting(group),
          lastSpawnStart: parseSeconds(await turns.reads.info(group, LAST_SPAWN)),
        })),
      )
    },

    async usage(owners) {
      return await Promise.all(owners.map(async (owner) => await turns.reads.usage(owner)))
    },

    async readInfo(group, key) {
      return await turns.reads.info(group, key)
    },

    async writeInfo(group, key, value) {
      await turns.place.transact((tables) => tables.setInfo(group, key, value))
    },
  }
}

function ruleOf(settings: Settings, group: string): GroupRules {
  const rules = settings.configuration.groups.find(({ id }) => id === group)
  return rules ?? { ...DEFAULT_GROUP_RULES, id: group }
}

function dueNow(vm: VmDescriptor, settings: Settings, now: number): port.DueVm['kinds'] {
  return dueKinds(vm, ruleOf(settings, vm.group), settings.serverStartedAt, now)
}

function allStates(counts: Partial<Record<VmState, number>>): port.VmCounts {
  return Object.fromEntries(VM_STATES.map((state) => [state, counts[state] ?? 0])) as Record<VmState, number>
}
