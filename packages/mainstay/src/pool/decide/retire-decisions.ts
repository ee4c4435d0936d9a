import type { VmDescriptor } from '../descriptor.ts'
import type { LabelOptions } from '../options.ts'
import type { GroupCounts } from '../store.ts'
import { active } from '../sizing/group-room.ts'
import { arriving, carries } from '../sizing/ledger.ts'
import { retirement, type RetirementReason } from '../sizing/retirement.ts'
import { labelNow } from '../sizing/schedule.ts'
import { idleTarget } from '../sizing/target.ts'
import type { Decision } from './decision.ts'
import { rulesOf } from './due-decisions.ts'
import type { PoolSnapshot, PoolStock } from './snapshot.ts'

export interface Retirement {
  readonly decisions: readonly Decision[]
  /** For each group how many ready machines wait for their replacement. */
  readonly replacing: Readonly<Record<string, number>>
}

const WORDS: Record<RetirementReason, string> = {
  age: 'it is older than max_age',
  uses: 'it served max_uses',
  ready_age: 'it was ready for longer than max_ready_age',
  sandbox_time: 'it was bound for longer than max_time_in_sandbox',
}

/**
 * What is done about machines that served their time. One in use ends with its use, a dirty one and one that served its uses
 * at once: none of them is part of the minimum. A clean one goes when the others suffice; else a worn one is replaced first, and one that
 * merely idled for long is kept. Where there is no room for a replacement, a worn one goes first.
 *
 * Source: vm-pool.md C8.
 */
export function retireDecisions(snapshot: PoolSnapshot): Retirement {
  const { now, rules, stock } = snapshot
  const decisions: Decision[] = []
  const replacing: Record<string, number> = {}
  const spare = new Spare(snapshot)
  const narrow = new Narrow(snapshot)
  for (const { vm, kinds } of snapshot.due ?? []) {
    if (!kinds.includes('retire') || kinds.some((kind) => kind === 'terminate' || kind === 'launch')) continue
    const reason = retirement(vm, rulesOf(snapshot, vm.group), now)
    const keep = (because: string): void => {
      decisions.push({ do: 'keep', vm: vm.name, group: vm.group, until: now + rules.retirePauseMs, because })
    }
    const because = reason === null ? '' : WORDS[reason]
    if (reason === null) keep('it has not served its time yet')
    else if (stock === null) keep(`${because}, but how many there are is not known`)
    else if (vm.state === 'in_use' || vm.state === 'resetting') decisions.push(drainAfterUse(vm, because))
    else if (vm.state !== 'ready') keep(`${because}, but it is ${vm.state}`)
    else if (vm.boundToUser !== null || reason === 'uses') decisions.push(end(vm, because))
    else if (spare.take(vm.group)) decisions.push(end(vm, because))
    else if (reason === 'age' && narrow.endFirst(vm.group)) {
      decisions.push(end(vm, `${because}, and there is no room for its replacement before it is gone`))
    } else {
      keep(`${because}, but the minimum needs it`)
      if (reason !== 'ready_age') replacing[vm.group] = (replacing[vm.group] ?? 0) + 1
    }
  }
  return { decisions, replacing }
}

function end(vm: VmDescriptor, because: string): Decision {
  return { do: 'terminate', vm: vm.name, group: vm.group, from: ['ready'], because }
}

function drainAfterUse(vm: VmDescriptor, because: string): Decision {
  return { do: 'drain', vm: vm.name, group: vm.group, mode: 'terminate', because }
}

/**
 * Groups without room for one more machine, where a replacement cannot come first: there the worn one goes first, one at a
 * time, so that no more than one is ever missing.
 */
class Narrow {
  readonly #snapshot: PoolSnapshot
  readonly #ended = new Set<string>()

  constructor(snapshot: PoolSnapshot) {
    this.#snapshot = snapshot
  }

  /** Whether a worn machine of the group is to go before its replacement comes; it is then taken to go. */
  endFirst(group: string): boolean {
    const counts = this.#snapshot.stock?.counts.find((each) => each.group === group)
    if (counts === undefined || this.#ended.has(group)) return false
    const changing = arriving(counts) + counts.states.terminating
    if (changing > 0 || !this.#isFull(group, counts)) return false
    this.#ended.add(group)
    return true
  }

  #isFull(group: string, counts: GroupCounts): boolean {
    const { stock, labels, now } = this.#snapshot
    const rules = rulesOf(this.#snapshot, group)
    if (rules.maxTotal > 0 && active(counts.states) >= rules.maxTotal) return true
    return labels
      .map((label) => labelNow(label, now).options)
      .filter(({ label, maxTotal }) => maxTotal > 0 && carries(rules, label))
      .some(({ label, maxTotal }) => {
        const carriers = stock!.counts.filter((each) => carries(rulesOf(this.#snapshot, each.group), label))
        return carriers.reduce((sum, each) => sum + active(each.states), 0) >= maxTotal
      })
  }
}

/** How many clean machines each label could do without. */
class Spare {
  readonly #labels: { readonly label: string; spare: number }[]
  readonly #snapshot: PoolSnapshot

  constructor(snapshot: PoolSnapshot) {
    this.#snapshot = snapshot
    const { stock, labels } = snapshot
    this.#labels = stock === null ? [] : labels.map((label) => this.#count(label, stock))
  }

  /** Takes one machine of a group away when every label of the group can spare it. */
  take(group: string): boolean {
    const rules = rulesOf(this.#snapshot, group)
    const concerned = this.#labels.filter(({ label }) => carries(rules, label))
    if (concerned.some(({ spare }) => spare < 1)) return false
    for (const each of concerned) each.spare -= 1
    return true
  }

  #count(label: LabelOptions, { counts, requests }: PoolStock): { label: string; spare: number } {
    const { options } = labelNow(label, this.#snapshot.now)
    const groups = counts.filter(({ group }) => carries(rulesOf(this.#snapshot, group), options.label))
    const sum = (of: (group: GroupCounts) => number): number => groups.reduce((all, group) => all + of(group), 0)
    const waiting = requests.filter((request) => groups.some(({ group }) => request.groups.includes(group))).length
    const { idle } = idleTarget(options, { inUse: sum(({ states }) => states.in_use), waiting })
    // Only what is ready counts here, not what is on its way: the new one has to be ready first.
    return { label: options.label, spare: sum(({ clean }) => clean) - idle - waiting }
  }
}
