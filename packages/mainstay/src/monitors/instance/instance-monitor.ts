import { DomainEventId } from '@mainstay/libvirt-rpc'

import { withDeadline } from '../../core/deadline.ts'
import { errorMessage } from '../../core/errors.ts'
import type { AgentOptions } from '../agent-options.ts'
import type { MonitorContext, MonitorHealth, RunningMonitor } from '../monitor.ts'
import type { VmReport } from '../report.ts'
import { remembered, type DomainMemory } from './domain-memory.ts'
import type { DomainAccess, DomainListener, DomainSource } from './domain-source.ts'
import { GuestIdentities } from './guest-identities.ts'
import { instanceMetrics, type InstanceMetrics } from './instance-metrics.ts'
import { isWish } from './intent.ts'
import { judgeEvent } from './judge-event.ts'
import type { KnownDomain } from './known-domain.ts'
import { MemoryKeeper } from './memory-keeper.ts'
import type { WatchedEvent } from './normalise.ts'
import { reconcile } from './reconcile.ts'
import { Repeats } from './repeats.ts'
import { settingsFrom, type Settings } from './settings.ts'
import { UntoldFacts, type SeenFact } from './untold-facts.ts'

type Arrival =
  | { readonly kind: 'event'; readonly event: WatchedEvent; readonly atMs: number }
  | { readonly kind: 'compare'; readonly access: DomainAccess }

/** More than this never waits: a comparison says the same in fewer words. */
const MOST_ARRIVALS = 100_000

/**
 * Tells of guests of this host that have failed.
 *
 *   away ──connected──▶ comparing ──compared──▶ watching ──disconnected──▶ away
 *                        ▲    │ failed: again after a pause
 *                        └────┘
 *
 * Arrivals — events, and the wish to compare after each connect — wait in one queue and are handled one after the
 * other. So the events that come during a comparison are judged after it, against its result: what both have seen is
 * one report, and no event is judged against a list that is older than itself.
 *
 * Invariant: what is known of a domain is written down only after what it led to is in the spool (`MemoryKeeper`). A
 * report that the spool refuses leaves the domain as it was known before, and a comparison follows. A fact whose guest's
 * identity cannot be read now waits in memory for a comparison that can read it (`UntoldFacts`), and the domain is written
 * down as it was before. So after a restart only what a comparison finds is told: failed ends and pauses by a fault.
 *
 * Source: monitors.md section 7.
 */
export class InstanceMonitor implements RunningMonitor, DomainListener {
  readonly #context: MonitorContext
  readonly #source: DomainSource
  readonly #metrics: InstanceMetrics
  readonly #keeper: MemoryKeeper
  readonly #repeats = new Repeats()
  readonly #arrivals: Arrival[] = []
  readonly #domains = new Map<string, KnownDomain>()
  readonly #identities: GuestIdentities
  readonly #untold = new UntoldFacts()
  #settings: Settings
  #firstStart: boolean
  #access: DomainAccess | undefined
  #state: 'away' | 'comparing' | 'watching' = 'away'
  #awayBecause = 'not connected yet'
  #working: Promise<void> | undefined
  #retry: Disposable | undefined
  #stopping = false

  private constructor(
    { context, source, memory, options }: InstanceMonitorDeps,
    known: ReadonlyMap<string, KnownDomain> | undefined,
  ) {
    this.#context = context
    this.#source = source
    this.#settings = settingsFrom(options)
    this.#metrics = instanceMetrics(context.metrics)
    this.#firstStart = known === undefined
    for (const [uuid, domain] of known ?? []) this.#domains.set(uuid, domain)
    const { sink, clock, logger, tasks } = context
    this.#identities = new GuestIdentities({ clock, logger, signal: tasks.signal })
    this.#keeper = new MemoryKeeper({ memory, sink, clock, logger, latest: () => this.#untold.before(this.#domains) })
  }

  /** @throws AgentConfigError when an option makes no sense */
  static async start(deps: InstanceMonitorDeps): Promise<InstanceMonitor> {
    const monitor = new InstanceMonitor(deps, await remembered(deps.memory, deps.context.logger))
    deps.source.start(monitor)
    return monitor
  }

  health(): MonitorHealth {
    if (this.#state === 'away') return { ready: false, detail: `libvirt is away: ${this.#awayBecause}` }
    const detail = `${this.#domains.size} guests known`
    return { ready: this.#state === 'watching', detail: this.#state === 'watching' ? detail : 'comparing with libvirt' }
  }

  reload(options: AgentOptions): void {
    this.#settings = settingsFrom(options)
  }

  async stop(): Promise<void> {
    this.#stopping = true
    this.#retry?.[Symbol.dispose]()
    await this.#source.stop()
    await this.#working
    await this.#keeper.close()
  }

  connected(access: DomainAccess): void {
    this.#access = access
    this.#state = 'comparing'
    this.#metrics.connected()
    this.#context.logger.info('libvirt is connected')
    this.#arrive({ kind: 'compare', access })
  }

  disconnected(reason: string): void {
    if (this.#access !== undefined) this.#context.logger.warn(`libvirt is gone: ${reason}`)
    this.#access = undefined
    this.#state = 'away'
    this.#awayBecause = reason
    this.#metrics.disconnected()
  }

  /** Nothing but the queue is touched here (IM-9). */
  event(event: WatchedEvent): void {
    this.#arrive({ kind: 'event', event, atMs: this.#context.clock.now() })
  }

  #arrive(arrival: Arrival): void {
    if (this.#arrivals.length >= MOST_ARRIVALS) this.#overflow()
    this.#arrivals.push(arrival)
    if (this.#working !== undefined) return
    this.#working = this.#context.tasks.spawn('watch guests', async () => await this.#work())
  }

  #overflow(): void {
    this.#context.logger.error(`More than ${MOST_ARRIVALS} libvirt events waited; they are dropped for a comparison`)
    this.#metrics.suppressed('overflow')
    this.#arrivals.length = 0
    if (this.#access !== undefined) this.#arrivals.push({ kind: 'compare', access: this.#access })
  }

  async #work(): Promise<void> {
    try {
      for (let arrival = this.#arrivals.shift(); arrival !== undefined; arrival = this.#arrivals.shift()) {
        if (arrival.kind === 'event') await this.#judge(arrival)
        else await this.#compare(arrival.access)
      }
    } finally {
      this.#working = undefined
    }
  }

  async #judge({ event, atMs }: { event: WatchedEvent; atMs: number }): Promise<void> {
    const { domain } = event
    const { isIgnored, instance } = this.#settings
    if (isIgnored(domain.name)) return
    const uuid = domain.uuid.toLowerCase()
    const known = this.#domains.get(uuid)
    // The next comparison reads what could not be read: each event would wait for libvirt's time-out, and all behind it.
    const before = known && (this.#untold.has(uuid) ? known : await this.#identified(uuid, known))
    const judgement = judgeEvent(event, before, { panicAs: instance.panicAs, nowMs: atMs })
    this.#know(uuid, judgement.known)
    if (event.id === DomainEventId.LIFECYCLE) this.#repeats.noteLifecycle(uuid, event.event)
    if (judgement.suppressed !== undefined) this.#metrics.suppressed(judgement.suppressed)
    if (judgement.fact !== undefined) this.#tell({ uuid, name: domain.name, before, fact: judgement.fact, atMs })
  }

  async #compare(access: DomainAccess): Promise<void> {
    if (access !== this.#access || this.#stopping) return // another connection has taken its place
    const { clock, logger, tasks } = this.#context
    const { isIgnored } = this.#settings
    const { panicAs, reconcileTimeoutMs: timeoutMs } = this.#settings.instance
    const limits = { clock, what: 'Comparing with libvirt', timeoutMs, signal: tasks.signal }
    let current
    try {
      current = await withDeadline(limits, async (signal) => await access.listDomains({ signal }))
    } catch (error) {
      this.#metrics.compared('failed')
      logger.warn({ err: error }, `The guests could not be compared with libvirt: ${errorMessage(error)}`)
      return this.#compareAgain()
    }
    const nowMs = clock.now()
    const previous = this.#firstStart ? undefined : new Map(this.#domains)
    const judged = current.filter(({ name }) => !isIgnored(name))
    const { findings, next, unexplained } = reconcile(previous, judged, { panicAs, nowMs })
    const identified = new Map<string, KnownDomain>()
    for (const [uuid, known] of next) identified.set(uuid, await this.#identified(uuid, known))
    // Without a pause from here on: what is known and what is told of it go to the keeper together.
    this.#firstStart = false
    this.#domains.clear()
    for (const [uuid, known] of identified) this.#domains.set(uuid, known)
    for (const uuid of unexplained) {
      this.#metrics.suppressed('unexplained')
      logger.warn(
        { uuid, name: next.get(uuid)?.name },
        'A guest stopped while nobody listened; libvirt does not say why',
      )
    }
    const found = findings.map(({ uuid, before, event, virDomainEvent }): SeenFact => {
      const name = next.get(uuid)?.name ?? before?.name ?? ''
      return { uuid, name, before, fact: { event, virDomainEvent }, atMs: nowMs }
    })
    const waited = this.#untold.take((seen) => !next.has(seen.uuid) || this.#instanceUuid(seen) !== undefined)
    for (const seen of [...waited, ...found]) {
      if (isIgnored(seen.name)) continue
      if (next.has(seen.uuid) || this.#instanceUuid(seen) !== undefined) this.#tell(seen)
      else this.#tellNobody(seen, 'is gone, and no identity of it is known')
    }
    this.#identities.keepOnly(next)
    if (this.#untold.waiting) this.#compareAgain()
    this.#keeper.changed()
    this.#metrics.compared('ok')
    if (access === this.#access) this.#state = 'watching'
  }

  /** After a pause; one that is running already is not made longer, or whoever keeps asking would put it off for ever. */
  #compareAgain(): void {
    if (this.#stopping || this.#retry !== undefined) return
    this.#retry = this.#context.clock.after(this.#settings.instance.reconcileRetryMs, () => {
      this.#retry = undefined
      if (this.#access !== undefined) this.#arrive({ kind: 'compare', access: this.#access })
    })
  }

  async #identified(uuid: string, known: KnownDomain): Promise<KnownDomain> {
    const { uuidSource, instance } = this.#settings
    const look = { source: uuidSource, access: this.#access, timeoutMs: instance.identityTimeoutMs }
    return await this.#identities.identified(uuid, known, look)
  }

  #know(uuid: string, known: KnownDomain | undefined): void {
    if (this.#domains.get(uuid) === known) return
    if (known === undefined) this.#domains.delete(uuid)
    else this.#domains.set(uuid, known)
    this.#keeper.changed()
  }

  /** Null when the guest has none, undefined when that is not known. */
  #instanceUuid({ uuid, before }: SeenFact): string | null | undefined {
    if (this.#settings.uuidSource.kind === 'domain') return uuid
    const { instanceUuid } = this.#domains.get(uuid) ?? before ?? { instanceUuid: null }
    return instanceUuid ?? (this.#identities.hasNone(uuid) ? null : undefined)
  }

  #tell(seenFact: SeenFact): void {
    const instanceUuid = this.#instanceUuid(seenFact)
    if (instanceUuid === undefined) return this.#tellLater(seenFact)
    if (instanceUuid === null) return this.#tellNobody(seenFact, 'has no text at uuid_source')
    const { uuid, name, before, fact, atMs } = seenFact
    const { logger, clock } = this.#context
    const { hostname, instance } = this.#settings
    const windowMs = instance.dedupeWindowMs
    if (this.#repeats.isRepeat(uuid, fact, { nowMs: clock.monotonic(), windowMs })) {
      this.#metrics.suppressed('repeat')
      return
    }
    const seen = { uuid, name, ...fact }
    if (isWish(fact)) logger.info(seen, `Guest ${name}: ${fact.virDomainEvent}, as was wished`)
    else logger.warn(seen, `Guest ${name}: ${fact.event} ${fact.virDomainEvent}`)
    const payload = { event: fact.event, instance_uuid: instanceUuid, vir_domain_event: fact.virDomainEvent }
    this.#keeper.after(this.#hand({ type: 'VM', hostname, detectedAtMs: atMs, payload }, { uuid, before }))
  }

  #tellLater(seen: SeenFact): void {
    const { uuid, name, fact } = seen
    const text = `Guest ${name}: ${fact.virDomainEvent} is told as soon as its identity can be read`
    if (this.#untold.add(seen)) this.#context.logger.warn({ uuid, ...fact }, text)
    else this.#metrics.suppressed('repeat')
    this.#compareAgain()
  }

  #tellNobody({ uuid, name, fact }: SeenFact, because: string): void {
    this.#metrics.suppressed('no_identity')
    this.#context.logger.error({ uuid, ...fact }, `Guest ${name} ${because}; nobody is told of ${fact.virDomainEvent}`)
  }

  /** Not awaited by the queue: reports that come together share one write of the spool, which keeps their order. */
  async #hand(report: VmReport, { uuid, before }: { uuid: string; before: KnownDomain | undefined }): Promise<void> {
    try {
      await this.#context.sink.accept(report)
    } catch (error) {
      this.#metrics.suppressed('refused')
      this.#context.logger.error({ uuid, err: error }, `The report about a guest was refused: ${errorMessage(error)}`)
      this.#repeats.forget(uuid)
      this.#know(uuid, before)
      this.#compareAgain()
    }
  }
}

export interface InstanceMonitorDeps {
  readonly context: MonitorContext
  readonly source: DomainSource
  readonly memory: DomainMemory
  readonly options: AgentOptions
}
