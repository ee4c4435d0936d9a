import type { Decision, DecisionKind } from './decide/decision.ts'
import type { VmDescriptor } from './descriptor.ts'
import { VmNotFoundError, VmStateError } from './errors.ts'
import type { GroupRules } from './options.ts'
import { evictable, findMachines, shed, SHED_STATES, spareClean } from './pick-machines.ts'
import { IDLE_STATES, type VmState } from './state.ts'
import type { PoolStore } from './store.ts'
import type { Checker } from './workers/checker.ts'
import type { Spawner } from './workers/spawner.ts'
import type { Terminator } from './workers/terminator.ts'

export interface CarryOut {
  readonly store: PoolStore
  readonly spawner: Spawner
  readonly checker: Checker
  readonly terminator: Terminator
  /** The number of this leadership; goes with every write. */
  readonly fence: number
  /** Milliseconds since the Unix epoch. */
  readonly now: () => number
  /** The machines that decisions name. */
  readonly vm: (name: string) => VmDescriptor | undefined
  readonly rulesOf: (group: string) => GroupRules
}

type Of<K extends DecisionKind> = Extract<Decision, { do: K }>

/** One step of the cycle: what is done about all decisions of one kind. */
export interface CycleStep {
  readonly kind: DecisionKind
  readonly run: (decisions: readonly Decision[], means: CarryOut) => Promise<void>
}

function step<K extends DecisionKind>(
  kind: K,
  work: (decisions: readonly Of<K>[], means: CarryOut) => Promise<void>,
): CycleStep {
  const isOwn = (decision: Decision): decision is Of<K> => decision.do === kind
  return { kind, run: async (decisions, means) => await work(decisions.filter(isOwn), means) }
}

/** Machines in these states are being made ready by somebody. */
const MAKING: readonly VmState[] = ['requested', 'building', 'starting', 'resetting']

/** Machines that are taken up, or drained, in one cycle and group. */
const MOST_AT_ONCE = 500

/** One machine after the other, so that one that changed meanwhile does not keep the others from their turn. */
async function each<D extends Decision>(
  decisions: readonly D[],
  work: (decision: D) => Promise<unknown>,
): Promise<void> {
  for (const decision of decisions) {
    try {
      await work(decision)
    } catch (error) {
      // It was decided on a look that is a moment old: gone or changed machines are not news.
      if (!(error instanceof VmNotFoundError) && !(error instanceof VmStateError)) throw error
    }
  }
}

const names = (decisions: readonly { readonly vm: string }[]): string[] => decisions.map(({ vm }) => vm)

/**
 * How each kind of decision is carried out, in this order: what ends first, then care, then what grows. Decisions of one
 * kind are one step of the cycle.
 *
 * Source: vm-pool.md C9.
 */
export const STEPS: readonly CycleStep[] = [
  step('reclaim', async (decisions, { store, fence, now }) => {
    await store.reclaim({ names: names(decisions), fence, now: now() })
  }),
  step('abandon_spawn', async (decisions, { store, spawner, now }) => {
    await each(decisions, async ({ vm, because }) => {
      spawner.jobs.cancel(vm, new Error(because))
      await store.spawnFailed({ name: vm, reason: because, destroy: true, now: now() })
    })
  }),
  step('terminate', async (decisions, { store, fence, now }) => {
    await each(decisions, async ({ vm, from, because }) => {
      await store.terminate({ names: [vm], by: { fence }, reason: because, allowedFrom: from, now: now() })
    })
  }),
  step('unhold', async (decisions, { store, now }) => {
    await store.unhold({ names: names(decisions), now: now() })
  }),
  step('drain', async (decisions, { store, now }) => {
    await each(decisions, async ({ vm, mode }) => await store.drain({ names: [vm], mode, now: now() }))
  }),
  step('keep', async (decisions, { store, fence, now }) => {
    const until = Math.max(...decisions.map((decision) => decision.until))
    await store.postponeRetirement({ names: names(decisions), until, fence, now: now() })
  }),
  step('give_up_check', async (decisions, { store, fence, now }) => {
    await store.checksGivenUp({ names: names(decisions), fence, now: now() })
  }),
  step('drain_group', async (decisions, { store, now }) => {
    await each(decisions, async ({ group, mode }) => {
      const states = [...IDLE_STATES, 'in_use', 'resetting'] as const
      const vms = await findMachines(store, { group, states }, MOST_AT_ONCE, ({ drain }) => drain !== mode)
      if (vms.length > 0) await store.drain({ names: vms.map(({ name }) => name), mode, now: now() })
    })
  }),
  step('shed', async (decisions, { store, fence, now }) => {
    await each(decisions, async ({ group, count, because }) => {
      const { end, drain } = shed(await findMachines(store, { group, states: SHED_STATES }, MOST_AT_ONCE), count)
      for (const { name, state } of end) {
        await store.terminate({ names: [name], by: { fence }, reason: because, allowedFrom: [state], now: now() })
      }
      await store.drain({ names: drain.map(({ name }) => name), mode: 'terminate', now: now() })
    })
  }),
  step('evict', async (decisions, { store, fence, now }) => {
    await each(decisions, async ({ group, count, idleForMs, because }) => {
      const dirty = await findMachines(store, { group, states: ['ready'] }, count, (vm) => vm.boundToUser !== null)
      const gone = evictable(dirty, now(), idleForMs).slice(0, count)
      await endReady(store, gone, { fence, now, because })
    })
  }),
  step('preempt', async (decisions, { store, fence, now }) => {
    for (const { request } of decisions) await store.preempt({ requestId: request, fence, now: now() })
  }),
  step('stand_by', async (decisions, { store, spawner, fence }) => {
    await each(decisions, async ({ group, count }) => {
      const clean = await findMachines(store, { group, states: ['ready'] }, count, (vm) => vm.boundToUser === null)
      for (const vm of spareClean(clean, count)) await spawner.standBy(vm, fence)
    })
  }),
  step('shrink', async (decisions, { store, fence, now }) => {
    await each(decisions, async ({ group, count, because }) => {
      const clean = await findMachines(store, { group, states: ['ready'] }, count, (vm) => vm.boundToUser === null)
      await endReady(store, spareClean(clean, count), { fence, now, because })
    })
  }),
  step('check', async (decisions, { checker, fence, vm, rulesOf }) => {
    await checker.start(
      decisions.flatMap((decision) => vm(decision.vm) ?? []),
      rulesOf,
      fence,
    )
  }),
  step('take_up', async (decisions, { store, spawner, fence }) => {
    await each(decisions, async ({ group }) => {
      const vms = await findMachines(store, { group, states: MAKING }, MOST_AT_ONCE)
      for (const vm of vms) spawner.takeUp(vm, fence)
    })
  }),
  step('wake', async (decisions, { store, spawner, fence }) => {
    await each(decisions, async ({ group, count }) => {
      const stopped = await findMachines(
        store,
        { group, states: ['standby'] },
        count,
        ({ name }) => !spawner.jobs.has(name),
      )
      for (const vm of stopped.slice(0, count)) await spawner.wake(vm, fence)
    })
  }),
  step('spawn', async (decisions, { spawner, fence }) => {
    for (const { group, count } of decisions) {
      for (let made = 0; made < count; made += 1) if (!(await spawner.spawn(group, fence))) break
    }
  }),
  step('give_up_destroying', async (decisions, { store, fence, now }) => {
    await each(decisions, async ({ vm }) => await store.markStuck({ name: vm, fence, now: now() }))
  }),
  step('destroy', async (decisions, { terminator, fence, vm }) => {
    const endings = decisions.flatMap((decision) => {
      const machine = vm(decision.vm)
      return machine === undefined ? [] : [{ vm: machine, againAt: decision.againAt }]
    })
    await terminator.start(endings, fence)
  }),
]

async function endReady(
  store: PoolStore,
  vms: readonly VmDescriptor[],
  { fence, now, because }: { readonly fence: number; readonly now: () => number; readonly because: string },
): Promise<void> {
  if (vms.length === 0) return
  const by = { fence }
  await store.terminate({ names: vms.map(({ name }) => name), by, reason: because, allowedFrom: ['ready'], now: now() })
}
