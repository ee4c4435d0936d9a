import type { PoolChange } from '../change.ts'
import type { GroupRules, LabelOptions, PoolConfiguration } from '../options.ts'
import { carries } from '../sizing/ledger.ts'
import { ENDING_STATES, type VmState } from '../state.ts'

interface Known {
  readonly group: string
  readonly state: VmState
  readonly uses: number
}

/** Counted as a spawn that is under way. */
const SPAWNING: readonly VmState[] = ['requested', 'building', 'starting']

/**
 * Everything that happened to the machines of a pool, folded from its changes in their order: so it sees what no look at a
 * moment does, and judges each spawn and each hand-over by what was there just before. For requests of one machine each.
 *
 * Source: vm-pool.md A6.5 (the limits of a spawn, with their signs), C3, C8, C17.
 */
export class ChangeLedger {
  readonly broken: string[] = []
  /** The most there ever was of what a limit bounds, to see that the limits were reached at all. */
  readonly most = new Map<string, number>()
  /** The least time between two spawns of a group, in milliseconds. */
  readonly soonest = new Map<string, number>()
  /** Requests of which a machine was handed out, and of which the pool said anything. */
  readonly granted = new Set<string>()
  readonly heard = new Set<string>()
  readonly #configuration: PoolConfiguration
  readonly #labels: readonly LabelOptions[]
  readonly #vms = new Map<string, Known>()
  readonly #spawnedAt = new Map<string, number>()

  constructor(configuration: PoolConfiguration, labels: readonly LabelOptions[] = []) {
    this.#configuration = configuration
    this.#labels = labels
  }

  apply(change: PoolChange): void {
    const { kind, vm, requestId } = change
    if (requestId !== null) this.heard.add(requestId)
    if (vm === null) return
    if (kind === 'vm.requested') this.#judgeSpawn(change)
    if (kind === 'vm.acquired') this.#judgeUse(change)
    this.#keep(vm, change)
    for (const rules of this.#configuration.groups) this.#judgeGroup(rules, change)
    for (const label of this.#labels) this.#judgeLabel(label, change)
  }

  /** How many machines of a group are in some states, by what was told of them. */
  count(group: string, states: (state: VmState) => boolean): number {
    return [...this.#vms.values()].filter((vm) => vm.group === group && states(vm.state)).length
  }

  #keep(name: string, { kind, group, to }: PoolChange): void {
    if (to === null) {
      this.#vms.delete(name)
      return
    }
    const known = this.#vms.get(name)
    const uses = (known?.uses ?? 0) + (kind === 'vm.acquired' ? 1 : 0)
    this.#vms.set(name, { group: group!, state: to, uses })
  }

  /** A6.5: allowed while fewer than the maximum, and not before the interval is over; at its end it is. */
  #judgeSpawn({ group, at }: PoolChange): void {
    const rules = this.#configuration.groups.find(({ id }) => id === group)
    if (rules === undefined) return this.#blame(at, `a spawn in ${group}, which is no group`)
    const { id, maxTotal, maxSpawns, spawnIntervalMs } = rules
    const [active, spawning, all] = [this.count(id, isActive), this.count(id, isSpawning), this.count(id, () => true)]
    if (maxTotal > 0 && active >= maxTotal) this.#blame(at, `a spawn in ${id} beside ${active} of ${maxTotal}`)
    if (maxSpawns > 0 && spawning >= maxSpawns) this.#blame(at, `a spawn in ${id} beside ${spawning} of ${maxSpawns}`)
    if (maxTotal > 0 && all >= 2 * maxTotal) this.#blame(at, `a spawn in ${id} beside ${all} in any state`)
    const last = this.#spawnedAt.get(id)
    if (last !== undefined) {
      if (at - last < spawnIntervalMs) this.#blame(at, `a spawn in ${id} only ${at - last} ms after the last`)
      this.soonest.set(id, Math.min(this.soonest.get(id) ?? Number.POSITIVE_INFINITY, at - last))
    }
    this.#spawnedAt.set(id, at)
  }

  #judgeUse({ vm, group, at, from, requestId }: PoolChange): void {
    const known = this.#vms.get(vm!)
    if (requestId !== null && this.granted.has(requestId)) this.#blame(at, `${requestId} was served twice`)
    if (requestId !== null) this.granted.add(requestId)
    if (known === undefined) return this.#blame(at, `${vm} was handed out, and nobody knew it`)
    if (known.state === 'in_use') this.#blame(at, `${vm} was handed out while it was in use`)
    if (from !== 'ready') this.#blame(at, `${vm} was handed out while it was ${from}`)
    const rules = this.#configuration.groups.find(({ id }) => id === group)
    if (rules?.dirtyPolicy === 'discard' && known.uses > 0) this.#blame(at, `${vm} was handed out twice`)
  }

  #judgeGroup({ id, maxTotal, maxInUse }: GroupRules, { at }: PoolChange): void {
    this.#within(at, `${id} active`, this.count(id, isActive), maxTotal)
    this.#within(
      at,
      `${id} in use`,
      this.count(id, (state) => state === 'in_use'),
      maxInUse,
    )
    this.#within(
      at,
      `${id} in any state`,
      this.count(id, () => true),
      2 * maxTotal,
    )
    this.#within(at, `${id} spawning`, this.count(id, isSpawning), 0)
  }

  #judgeLabel({ label, maxTotal }: LabelOptions, { at }: PoolChange): void {
    const groups = this.#configuration.groups.filter((rules) => carries(rules, label))
    const active = groups.reduce((sum, { id }) => sum + this.count(id, isActive), 0)
    this.#within(at, `label ${label}`, active, maxTotal)
  }

  #within(at: number, what: string, count: number, limit: number): void {
    this.most.set(what, Math.max(this.most.get(what) ?? 0, count))
    if (limit > 0 && count > limit) this.#blame(at, `${what}: ${count}, more than ${limit}`)
  }

  #blame(at: number, what: string): void {
    this.broken.push(`${new Date(at).toISOString()}: ${what}`)
  }
}

function isActive(state: VmState): boolean {
  return !ENDING_STATES.includes(state)
}

function isSpawning(state: VmState): boolean {
  return SPAWNING.includes(state)
}
