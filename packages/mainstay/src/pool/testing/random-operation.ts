import { errorCode } from '../../core/errors.ts'
import { integerBetween, type Random } from '../../core/random.ts'
import type { VmDescriptor } from '../descriptor.ts'
import type { PoolRequest } from '../request.ts'
import type { VmState } from '../state.ts'
import type { PoolStore } from '../store.ts'

/** Something that was asked of a pool, to be asked of another one in the same words. */
export interface Operation {
  readonly name: string
  readonly ask: (store: PoolStore) => Promise<object | null | void>
}

/** What the next operation is about: the pool as it is, and the time. */
export interface Scene {
  readonly random: Random
  readonly now: number
  readonly vms: readonly VmDescriptor[]
  readonly requests: readonly PoolRequest[]
  /** The numbers of the two masters as they know them; the one of them that lost is refused. */
  readonly fences: readonly number[]
  readonly next: () => string
}

export const GROUPS = ['g', 'h'] as const

/** One operation of any kind, most of them sensible and some of them not. */
export function randomOperation(scene: Scene): Operation {
  const { random, now } = scene
  const one = <T>(items: readonly T[]): T | undefined => items[integerBetween(random, 0, items.length - 1)]
  const chance = (of: number): boolean => random.next() < of
  const vmIn = (...states: readonly VmState[]): VmDescriptor | undefined =>
    one(chance(0.1) ? scene.vms : scene.vms.filter(({ state }) => states.includes(state)))
  const name = (vm: VmDescriptor | undefined): string => vm?.name ?? 'nobody'
  const names = (...states: readonly VmState[]): string[] => [...new Set([vmIn(...states), vmIn(...states)].map(name))]
  const token = (vm: VmDescriptor | undefined): string => (chance(0.05) ? 'stale' : (vm?.leaseToken ?? 'none'))
  const fence = chance(0.2) ? null : one(scene.fences)!
  const group = one(GROUPS)!
  const owner = one(['ann', 'bob', 'eve'])!
  const at = { now }
  const by = { now, fence }
  const startedAt = (vm: VmDescriptor | undefined): number => (chance(0.05) ? 1 : (vm?.checkStartedAt ?? 0))

  const kinds: readonly (readonly [weight: number, make: () => Operation['ask']])[] = [
    [
      8,
      () => {
        const input = { ...by, name: chance(0.05) ? 'vm-00001' : scene.next(), group, provider: 'p', ignoreRate: true }
        return (store) => store.requestSpawn(input)
      },
    ],
    [
      4,
      () => {
        const input = { ...at, name: name(vmIn('requested')), provider: 'p', providerId: chance(0.5) ? 'id' : null }
        return (store) => store.building(input)
      },
    ],
    [
      8,
      () => {
        const ip = `10.0.0.${integerBetween(random, 1, 9)}`
        const input = { ...at, name: name(vmIn('building', 'requested', 'starting')), ip }
        return (store) => store.spawned(input)
      },
    ],
    [
      1,
      () => {
        const input = { ...at, name: name(vmIn('building', 'requested')), reason: 'no room', destroy: chance(0.5) }
        return (store) => store.spawnFailed(input)
      },
    ],
    [
      12,
      () => {
        const states = ['got_ip', 'got_ip', 'check_health_failed', 'ready', 'in_use'] as const
        const checks = names(one(states)!).map((each) => ({ name: each, nextCheckAt: now + 5000 }))
        return (store) => store.startChecks({ ...by, checks })
      },
    ],
    [
      14,
      () => {
        const vm = vmIn('check_health', 'in_use')
        const input = { ...at, name: name(vm), startedAt: startedAt(vm) }
        return (store) => store.checkPassed(input)
      },
    ],
    [
      2,
      () => {
        const vm = vmIn('check_health', 'in_use')
        const input = { ...at, name: name(vm), startedAt: startedAt(vm), reason: 'silent' }
        return (store) => store.checkFailed(input)
      },
    ],
    [
      1,
      () => {
        const vm = vmIn('check_health')
        const input = { ...at, name: name(vm), startedAt: startedAt(vm) }
        return (store) => store.checkNotLaunched(input)
      },
    ],
    [1, () => bind(names('check_health'), (each) => (store) => store.checksGivenUp({ ...by, names: each }))],
    [1, () => bind(names('ready', 'got_ip'), (each) => (store) => store.recheck({ ...at, names: each }))],
    [
      20,
      () => {
        const again = chance(0.1) ? one(scene.requests)?.id : undefined
        const id = again ?? scene.next()
        const request = {
          ...at,
          id,
          groups: chance(0.5) ? [group] : [...GROUPS],
          owner,
          sandbox: one(['s', 't'])!,
          worker: 'w',
          leaseToken: `token of ${id}`,
          taskId: chance(0.5) ? `task-${integerBetween(random, 1, 5)}` : null,
          arch: chance(0.3) ? 'arm' : null,
          priority: chance(0.3) ? integerBetween(random, 0, 5) : 0,
          weight: chance(0.2) ? 2 : 1,
          count: chance(0.1) ? integerBetween(random, 2, 3) : 1,
          preemptible: chance(0.4),
          reattach: chance(0.3),
          waitUntil: chance(0.4) ? now + integerBetween(random, 1, 8000) : null,
        }
        return (store) => store.acquire(request)
      },
    ],
    [
      14,
      () => {
        const vm = vmIn('in_use')
        const input = { ...at, name: name(vm), token: token(vm), failed: chance(0.2) }
        return (store) => store.release(input)
      },
    ],
    [
      2,
      () => {
        const vm = vmIn('in_use')
        const input = { ...at, name: name(vm), token: token(vm) }
        return (store) => store.heartbeat(input)
      },
    ],
    [6, () => bind(names('in_use'), (each) => (store) => store.reclaim({ ...by, names: each }))],
    [
      1,
      () => {
        const input = {
          ...at,
          taskId: `task-${integerBetween(random, 1, 5)}`,
          owner,
          worker: 'v',
          leaseToken: scene.next(),
        }
        return (store) => store.reattach(input)
      },
    ],
    [2, () => bind(one(scene.requests)?.id ?? 'nobody', (id) => (store) => store.cancel({ ...at, id, reason: 'c' }))],
    [1, () => bind(one(scene.requests)?.id ?? 'nobody', (id) => (store) => store.requeue({ ...at, id }))],
    [
      1,
      () => {
        const ahead = chance(0.5) ? one(scene.requests)?.id : undefined
        const priority = integerBetween(random, 0, 9)
        const id = one(scene.requests)?.id ?? 'nobody'
        return (store) => store.reorder({ ...at, id, ...(ahead === undefined ? { priority } : { ahead }) })
      },
    ],
    [1, () => bind(one(scene.requests)?.id ?? 'nobody', (id) => (store) => store.preempt({ ...by, requestId: id }))],
    [2, () => (store) => store.expireRequests({ ...by, limit: 5 })],
    [1, () => (store) => store.serve({ ...at, groups: GROUPS })],
    [
      1,
      () => {
        const input = { ...at, until: now + integerBetween(random, 1, 9000), reason: 'look', by: owner }
        return bind(name(vmIn('ready', 'in_use', 'got_ip')), (each) => (store) => store.hold({ ...input, name: each }))
      },
    ],
    [2, () => bind(names('held'), (each) => (store) => store.unhold({ ...at, names: each }))],
    [
      1,
      () => {
        const id = scene.next()
        const rule = { id, match: { group }, holdMs: 1000, reason: 'look', by: owner, expiresAt: now + 9000 }
        return (store) => store.holdOnFailure(rule)
      },
    ],
    [
      1,
      () => {
        const mode = chance(0.5) ? 'keep' : 'terminate'
        return bind(names('ready', 'in_use', 'held'), (each) => (store) => store.drain({ ...at, names: each, mode }))
      },
    ],
    [2, () => bind(names('drained', 'in_use'), (each) => (store) => store.undrain({ ...at, names: each }))],
    [3, () => bind(name(vmIn('resetting')), (each) => (store) => store.resetDone({ ...at, name: each }))],
    [1, () => bind(name(vmIn('ready')), (each) => (store) => store.standBy({ ...by, name: each }))],
    [2, () => bind(name(vmIn('standby')), (each) => (store) => store.wake({ ...by, name: each }))],
    [
      2,
      () => {
        const vm = vmIn('in_use', 'ready')
        const rights = [{ token: token(vm) }, { operator: true, force: chance(0.5) }, { fence: fence ?? 0 }] as const
        const allowedFrom = chance(0.3) ? (['ready', 'in_use', 'terminating'] as const) : null
        const input = { ...at, names: [name(vm)], by: one(rights)!, reason: 'test', allowedFrom }
        return (store) => store.terminate(input)
      },
    ],
    [
      1,
      () => {
        const vms = names('terminating').map((each) => ({ name: each, againAt: now + 1000 }))
        return (store) => store.terminationAsked({ ...by, vms })
      },
    ],
    [1, () => bind(name(vmIn('terminating')), (each) => (store) => store.markStuck({ ...by, name: each }))],
    [8, () => bind(name(vmIn('terminating', 'stuck')), (each) => (store) => store.remove({ ...at, name: each }))],
    [1, () => bind(name(one(scene.vms)), (each) => (store) => store.lost({ ...by, name: each, reason: 'gone' }))],
    [
      1,
      () =>
        bind(
          names('ready', 'got_ip'),
          (each) => (store) => store.postponeRetirement({ ...by, names: each, until: now + 99 }),
        ),
    ],
    [1, () => bind(one(['a', 'b'])!, (id) => (store) => store.lead({ ...at, id, leaseMs: 3000 }))],
    [1, () => bind(one(['a', 'b'])!, (id) => (store) => store.resign({ ...at, id }))],
  ]
  const total = kinds.reduce((sum, [weight]) => sum + weight, 0)
  let left = random.next() * total
  const [, make] = kinds.find(([weight]) => (left -= weight) < 0) ?? kinds[0]!
  const ask = make()
  return { name: ask.toString().replaceAll(/\s+/g, ' '), ask: async (store) => await ask(store) }
}

function bind<T>(value: T, make: (value: T) => Operation['ask']): Operation['ask'] {
  return make(value)
}

/** What an operation came to, without what may differ between two databases: the ids of changes. */
export async function outcomeOf(operation: Operation, store: PoolStore): Promise<unknown> {
  try {
    return withoutIds((await operation.ask(store)) ?? null)
  } catch (error) {
    return { error: errorCode(error) ?? String(error) }
  }
}

function withoutIds(result: object | null): unknown {
  if (result === null || !('changes' in result) || !Array.isArray(result.changes)) return result
  return { ...result, changes: result.changes.map((change: object) => ({ ...change, id: '' })) }
}
