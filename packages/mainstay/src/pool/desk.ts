import type { Clock } from '../core/clock.ts'
import { decidePool, type PoolDecisions } from './decide.ts'
import { NO_MEMORY, type DecisionMemory, type MasterRules, type UnderWay } from './decide/snapshot.ts'
import { PoolRequestNotFoundError } from './errors.ts'
import { explainLeases, explainRequest, explainVm, type Explanation } from './explain.ts'
import type { IdleForecast } from './forecast/idle-forecast.ts'
import type { LabelOptions } from './options.ts'
import type { ProviderCandidate } from './choose-provider.ts'
import { NOTHING_UNDER_WAY, readSnapshot } from './read-snapshot.ts'
import type { PoolRequest, Refusal } from './request.ts'
import { allLabels } from './sizing/all-labels.ts'
import type { GroupCounts, PoolStore } from './store.ts'

/** What the desk must know of the process that it stands in. */
export interface DeskParts {
  readonly store: PoolStore
  readonly clock: Clock
  readonly labels: () => readonly LabelOptions[]
  readonly rules: () => MasterRules
  readonly whyNot: (group: string) => string | null
  readonly providers: () => readonly ProviderCandidate[]
  /** Of the master of this process while it leads; null otherwise. */
  readonly master: () => { readonly underWay: UnderWay; readonly memory: DecisionMemory } | null
  /** Who leads, as far as this process knows. */
  readonly leader: () => string | null
  /** What demand says should be idle, by label; null unless it is learnt (C13). */
  readonly forecast: (now: number) => Readonly<Record<string, IdleForecast>> | null
}

export interface PoolStats {
  readonly leader: string | null
  readonly groups: readonly GroupCounts[]
  readonly labels: PoolDecisions['sizing']
}

/**
 * Answers what the pool would do, and why things are as they are. Changes nothing.
 *
 * Source: vm-pool.md C14.
 */
export class PoolDesk {
  readonly #parts: DeskParts

  constructor(parts: DeskParts) {
    this.#parts = parts
  }

  /** What the next cycle would do. */
  async plan(): Promise<PoolDecisions> {
    const { store, clock, labels, rules, whyNot, master } = this.#parts
    const { underWay, memory } = master() ?? { underWay: NOTHING_UNDER_WAY, memory: NO_MEMORY }
    const parts = { labels: labels(), rules: rules(), whyNot, underWay, memory }
    return decidePool(await readSnapshot(store, clock, parts))
  }

  /** What would be kept idle if the forecast were acted upon; null unless demand is learnt. */
  forecast(): Readonly<Record<string, IdleForecast>> | null {
    return this.#parts.forecast(this.#parts.clock.now())
  }

  async stats(): Promise<PoolStats> {
    const { store, clock, leader } = this.#parts
    const { sizing } = await this.plan()
    return { leader: leader(), groups: await store.counts({ now: clock.now() }), labels: sizing }
  }

  providers(): readonly ProviderCandidate[] {
    return this.#parts.providers()
  }

  /** The labels with the numbers that are configured. */
  async labels(): Promise<readonly LabelOptions[]> {
    const { groups } = await this.#parts.store.configuration()
    return allLabels(this.#parts.labels(), groups)
  }

  /** Why a machine or a request is as it is. @throws PoolRequestNotFoundError when there is neither of that name */
  async explain(subject: string): Promise<Explanation> {
    const { store, clock } = this.#parts
    const vm = await store.get(subject)
    const decided = await this.plan()
    const now = clock.now()
    if (vm !== null) {
      const [configuration, serverStartedAt] = [await store.configuration(), await store.serverStartedAt()]
      const served = vm.provider === null || this.providers().some(({ name }) => name === vm.provider)
      return explainVm({ vm, configuration, serverStartedAt, now, served, decided })
    }
    const [request, leases] = [await store.request(subject), await store.leases(subject)]
    if (request === null && leases.length === 0) throw new PoolRequestNotFoundError(subject)
    if (request === null) return explainLeases(subject, leases, now)
    const machines = leases.map(({ vm: { name } }) => name)
    return explainRequest({ request, machines, refusals: await this.#refusals(request), now, decided })
  }

  /** Asking again with the same id changes nothing, and says why it still waits. */
  async #refusals(request: PoolRequest): Promise<readonly Refusal[]> {
    if (request.status !== 'waiting') return []
    const outcome = await this.#parts.store.acquire({ ...request, now: this.#parts.clock.now() })
    return outcome.outcome === 'waiting' ? outcome.refusals : []
  }
}
