import { DEFAULT_LABEL_OPTIONS, groupRules, type GroupRules, type LabelOptions } from '../options.ts'
import type { PoolRequest } from '../request.ts'
import type { GroupFacts } from '../sizing/ledger.ts'
import { VM_STATES, type VmState } from '../state.ts'
import type { GroupCounts, VmCounts } from '../store.ts'

/** Counts of machines by state; what is not named is 0. */
export function states(some: Partial<Record<VmState, number>> = {}): VmCounts {
  return Object.fromEntries(VM_STATES.map((state) => [state, some[state] ?? 0])) as VmCounts
}

/** A group's counts; every ready machine is clean and free unless said otherwise. */
export function groupCounts(
  group: string,
  some: Partial<Record<VmState, number>> = {},
  rest: Partial<GroupCounts> = {},
): GroupCounts {
  const ready = some.ready ?? 0
  return { group, states: states(some), free: ready, clean: ready, waiting: 0, lastSpawnStart: null, ...rest }
}

/** A group as sizing sees it, without limits unless given. */
export function groupFacts(
  rules: Pick<GroupRules, 'id'> & Partial<GroupRules>,
  some: Partial<Record<VmState, number>> = {},
  rest: Partial<Omit<GroupFacts, 'rules' | 'counts'>> & { readonly counts?: Partial<GroupCounts> } = {},
): GroupFacts {
  const { counts, ...facts } = rest
  return {
    rules: groupRules({ maxTotal: 0, maxPerUser: 0, maxSpawns: 0, ...rules }),
    counts: groupCounts(rules.id, some, counts),
    tokens: Number.POSITIVE_INFINITY,
    noProvider: null,
    ...facts,
  }
}

export function labelOptions(fields: Pick<LabelOptions, 'label'> & Partial<LabelOptions>): LabelOptions {
  return { ...DEFAULT_LABEL_OPTIONS, ...fields }
}

/** A request that waits. */
export function waitingRequest(fields: Partial<PoolRequest> & Pick<PoolRequest, 'id'>): PoolRequest {
  return {
    status: 'waiting',
    groups: ['g'],
    owner: fields.id,
    sandbox: 's',
    worker: 'w',
    leaseToken: 'token',
    taskId: null,
    buildId: null,
    chroot: null,
    arch: null,
    priority: 0,
    weight: 1,
    count: 1,
    preemptible: false,
    reattach: false,
    leaseMs: null,
    submittedAt: 0,
    rankAt: 0,
    waitUntil: 1_000_000,
    endedAt: null,
    reason: null,
    preemptedAt: null,
    ...fields,
  }
}
