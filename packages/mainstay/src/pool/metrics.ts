import type { Metrics } from '../core/metrics.ts'
import type { PoolChange } from './change.ts'
import type { PoolDecisions } from './decide.ts'
import type { ProviderCandidate } from './choose-provider.ts'
import { isOpen } from './provider-health.ts'
import { VM_STATES } from './state.ts'
import type { GroupCounts, SpawnRefusalKind } from './store.ts'

/**
 * The pool's figures, for Prometheus. Those of machines are written by the process that leads, so that a sum over all
 * processes counts nothing twice.
 *
 * Source: vm-pool.md C16.
 */
export class PoolMetrics {
  readonly #vms
  readonly #free
  readonly #waiting
  readonly #wanted
  readonly #clean
  readonly #unmet
  readonly #leading
  readonly #providerUp
  readonly #providerRate
  readonly #stateSeconds
  readonly #idleSeconds
  readonly #useSeconds
  readonly #waitSeconds
  readonly #launchSeconds
  readonly #stepSeconds
  readonly #stepFailures
  readonly #spawns
  readonly #spawnFailures
  readonly #lastSpawn
  readonly #checks
  readonly #reclaimed
  readonly #stuck
  readonly #refused
  readonly #limits
  readonly #leaks
  readonly #reconcileSkipped
  readonly #follow = new Map<
    string,
    {
      readonly state: string
      readonly since: number
      readonly idleSince: number | null
      readonly usedSince: number | null
    }
  >()
  readonly #waitingSince = new Map<string, number>()

  constructor(metrics: Metrics) {
    this.#vms = metrics.gauge('mainstay_pool_vms', 'Machines of the pool', ['group', 'state'])
    this.#free = metrics.gauge('mainstay_pool_free_vms', 'Machines that would be handed out to anybody now', ['group'])
    this.#waiting = metrics.gauge('mainstay_pool_waiting_requests', 'Requests that would take a machine of the group', [
      'group',
    ])
    this.#wanted = metrics.gauge(
      'mainstay_pool_wanted_idle_vms',
      'Clean machines that the label wants to have idle now',
      ['label'],
    )
    this.#clean = metrics.gauge('mainstay_pool_clean_vms', 'Clean machines that the label has', ['label'])
    this.#unmet = metrics.gauge('mainstay_pool_unmet_vms', 'Machines that the label misses and cannot get now', [
      'label',
    ])
    this.#leading = metrics.gauge('mainstay_pool_leading', '1 in the process that leads the pool')
    this.#providerUp = metrics.gauge('mainstay_pool_provider_up', '1 while machines may be asked of the provider', [
      'provider',
    ])
    this.#providerRate = metrics.gauge(
      'mainstay_pool_provider_success_rate',
      'Moving average of attempts that gave a machine',
      ['provider'],
    )
    this.#stateSeconds = metrics.seconds(
      'mainstay_pool_state_seconds',
      'How long machines were in a state when they left it: requested, building, got_ip, check_health and so on are the phases of a spawn and of a check',
      ['group', 'state'],
    )
    this.#idleSeconds = metrics.seconds(
      'mainstay_pool_idle_seconds',
      'How long machines idled before they were handed out',
      ['group'],
    )
    this.#useSeconds = metrics.seconds('mainstay_pool_use_seconds', 'How long machines were used', ['group'])
    this.#waitSeconds = metrics.seconds('mainstay_pool_wait_seconds', 'How long requests waited in the queue', [
      'group',
      'outcome',
    ])
    this.#launchSeconds = metrics.seconds(
      'mainstay_pool_launch_seconds',
      'How long providers took from an attempt to a machine',
      ['provider', 'image'],
    )
    this.#stepSeconds = metrics.seconds('mainstay_pool_cycle_step_seconds', 'How long the steps of the cycle took', [
      'step',
    ])
    this.#stepFailures = metrics.counter('mainstay_pool_cycle_step_failures_total', 'Steps of the cycle that failed', [
      'step',
    ])
    this.#spawns = metrics.counter('mainstay_pool_spawns_total', 'Machines that were asked for, by what came of it', [
      'group',
      'result',
    ])
    this.#spawnFailures = metrics.counter(
      'mainstay_pool_provider_failures_total',
      'Attempts at a provider that failed, by class',
      ['provider', 'class'],
    )
    this.#lastSpawn = metrics.gauge(
      'mainstay_pool_last_spawn_timestamp_seconds',
      'When a machine last came into the pool',
      ['group'],
    )
    this.#checks = metrics.counter('mainstay_pool_checks_total', 'Checks of machines', ['group', 'result'])
    this.#reclaimed = metrics.counter(
      'mainstay_pool_reclaimed_leases_total',
      'Machines taken back from holders that were silent',
      ['group'],
    )
    this.#stuck = metrics.counter('mainstay_pool_stuck_total', 'Machines that could not be destroyed', ['group'])
    this.#refused = metrics.counter(
      'mainstay_pool_refused_releases_total',
      'Releases and heartbeats with a token that is worth nothing any more',
      ['call'],
    )
    this.#limits = metrics.counter('mainstay_pool_limit_hits_total', 'Spawns that a limit forbade', ['group', 'limit'])
    this.#leaks = metrics.counter('mainstay_pool_leaks_total', 'What the reconciler found and did', [
      'provider',
      'found',
      'outcome',
    ])
    this.#reconcileSkipped = metrics.counter(
      'mainstay_pool_reconcile_skipped_total',
      'Providers that could not be asked what they have',
      ['provider'],
    )
  }

  leading(leads: boolean): void {
    this.#leading.set(leads ? 1 : 0)
    if (leads) return
    for (const gauge of [this.#vms, this.#free, this.#waiting, this.#wanted, this.#clean, this.#unmet]) gauge.reset()
    this.#follow.clear()
    this.#waitingSince.clear()
  }

  step(step: string, seconds: number, failed: boolean): void {
    this.#stepSeconds.observe({ step }, seconds)
    if (failed) this.#stepFailures.inc({ step })
  }

  counted(counts: readonly GroupCounts[]): void {
    for (const { group, states, free, waiting } of counts) {
      for (const state of VM_STATES) this.#vms.set({ group, state }, states[state])
      this.#free.set({ group }, free)
      this.#waiting.set({ group }, waiting)
    }
  }

  decided({ sizing }: PoolDecisions): void {
    for (const { label, target, stock, unmet } of sizing?.labels ?? []) {
      this.#wanted.set({ label }, target.idle)
      this.#clean.set({ label }, stock.clean)
      this.#unmet.set({ label }, unmet?.count ?? 0)
    }
  }

  providers(candidates: readonly ProviderCandidate[]): void {
    for (const { name: provider, draining, health } of candidates) {
      const up = !draining && health.disabledBecause === null && !isOpen(health)
      this.#providerUp.set({ provider }, up ? 1 : 0)
      this.#providerRate.set({ provider }, health.successRate)
    }
  }

  launched(provider: string, image: string, tookMs: number): void {
    this.#launchSeconds.observe({ provider, image }, tookMs / 1000)
  }

  providerFailed(provider: string, errorClass: string): void {
    this.#spawnFailures.inc({ provider, class: errorClass })
  }

  limitHit(group: string, limit: SpawnRefusalKind): void {
    this.#limits.inc({ group, limit })
  }

  refused(call: 'release' | 'heartbeat' | 'terminate'): void {
    this.#refused.inc({ call })
  }

  leak(provider: string, found: string, outcome: string): void {
    this.#leaks.inc({ provider, found, outcome })
  }

  reconcileSkipped(provider: string): void {
    this.#reconcileSkipped.inc({ provider })
  }

  /** Follows a machine or a request through its changes. */
  changed(change: PoolChange): void {
    this.#count(change)
    if (change.vm === null) this.#followRequest(change)
    else this.#followVm(change.vm, change)
  }

  #count({ kind, group: of, at, reason }: PoolChange): void {
    const group = of ?? ''
    if (kind === 'vm.added') {
      this.#spawns.inc({ group, result: 'ok' })
      this.#lastSpawn.set({ group }, at / 1000)
    }
    if (kind === 'vm.spawn_failed') this.#spawns.inc({ group, result: 'failed' })
    if (kind === 'vm.check_passed') this.#checks.inc({ group, result: 'passed' })
    if (kind === 'vm.check_failed') this.#checks.inc({ group, result: 'failed' })
    if (kind === 'vm.terminating' && reason === 'its lease expired') this.#reclaimed.inc({ group })
    if (kind === 'vm.stuck') this.#stuck.inc({ group })
  }

  #followVm(name: string, { kind, at, group: of, from, to }: PoolChange): void {
    const group = of ?? ''
    const before = this.#follow.get(name)
    const seconds = (since: number): number => Math.max(0, at - since) / 1000
    if (before !== undefined && from !== to)
      this.#stateSeconds.observe({ group, state: before.state }, seconds(before.since))
    if (kind === 'vm.acquired' && before !== undefined && before.idleSince !== null)
      this.#idleSeconds.observe({ group }, seconds(before.idleSince))
    if (before !== undefined && before.usedSince !== null && from === 'in_use' && to !== 'in_use') {
      this.#useSeconds.observe({ group }, seconds(before.usedSince))
    }
    if (to === null || kind === 'vm.removed') {
      this.#follow.delete(name)
      return
    }
    const moved = before === undefined || from !== to
    const rested = kind === 'vm.released' || kind === 'vm.added' || kind === 'vm.reset'
    this.#follow.set(name, {
      state: to,
      since: moved ? at : before.since,
      idleSince: rested ? at : to === 'in_use' ? null : (before?.idleSince ?? null),
      usedSince: to !== 'in_use' ? null : kind === 'vm.acquired' ? at : (before?.usedSince ?? null),
    })
  }

  #followRequest({ kind, at, group: of, requestId }: PoolChange): void {
    if (requestId === null) return
    if (kind === 'request.waiting') {
      this.#waitingSince.set(requestId, at)
      return
    }
    const since = this.#waitingSince.get(requestId)
    const outcome = ENDS[kind]
    if (outcome === undefined) return
    this.#waitingSince.delete(requestId)
    if (since !== undefined) this.#waitSeconds.observe({ group: of ?? '', outcome }, Math.max(0, at - since) / 1000)
  }
}

const ENDS: Partial<Record<PoolChange['kind'], string>> = {
  'request.granted': 'granted',
  'request.cancelled': 'cancelled',
  'request.expired': 'expired',
}
