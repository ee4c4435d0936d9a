import { DomainState, PausedReason, ShutoffReason } from '@mainstay/libvirt-rpc'

import { isAlive, isLeaving, type KnownDomain } from './known-domain.ts'
import { STOPPED_FAILED, type GuestFact, type PanicAs } from './report-table.ts'

/** A domain as libvirt lists it now. */
export interface CurrentDomain {
  /** Lower case. */
  readonly uuid: string
  readonly name: string
  readonly state: number
  readonly reason: number
  readonly persistent: boolean
}

export interface Finding extends GuestFact {
  readonly uuid: string
  /** What was known of the domain before: with the finding not told, this stays true. */
  readonly before: KnownDomain | undefined
}

export interface Reconciliation {
  readonly findings: readonly Finding[]
  readonly next: ReadonlyMap<string, KnownDomain>
  /** Domains that stopped without libvirt knowing why: not told, but somebody should look. */
  readonly unexplained: readonly string[]
}

/** Ends that nobody wished for. Source: monitors.md 7.5. */
const FAILURES = new Set<number>([ShutoffReason.CRASHED, ShutoffReason.FAILED, ShutoffReason.DAEMON])

const PAUSE_FACTS: Readonly<Record<number, string>> = {
  [PausedReason.IOERROR]: 'SUSPENDED_IOERROR',
  [PausedReason.WATCHDOG]: 'SUSPENDED_WATCHDOG',
  [PausedReason.CRASHED]: 'CRASHED_PANICKED',
  [PausedReason.POSTCOPY_FAILED]: 'SUSPENDED_POSTCOPY_FAILED',
}

/**
 * What must have happened while nobody listened: what was known before against what libvirt says now.
 *
 * - Was alive, is off: told when the reason is a failure; a wish or a departure is not; an unknown reason is only
 *   pointed out.
 * - Was alive, is absent: a transient domain ends by vanishing, so that is told, unless it was on its way to another
 *   host. A persistent one does not vanish by failing: somebody has undefined it.
 * - Is paused or crashed by a fault: told once per pause.
 * - First ever start (`previous` undefined): nothing is told, for nothing is known of how it came to be.
 *
 * Source: monitors.md 7.5, IM-7, IM-8, IM-11.
 */
export function reconcile(
  previous: ReadonlyMap<string, KnownDomain> | undefined,
  current: readonly CurrentDomain[],
  { panicAs, nowMs }: { panicAs: PanicAs; nowMs: number },
): Reconciliation {
  const findings: Finding[] = []
  const unexplained: string[] = []
  const next = new Map<string, KnownDomain>()
  for (const domain of current) {
    const before = previous?.get(domain.uuid)
    const pause = pauseFact(domain, panicAs)
    const isTold = pause !== undefined && samePause(before?.pauseTold, pause.virDomainEvent)
    const pauseTold = (isTold ? before?.pauseTold : pause?.virDomainEvent) ?? null
    next.set(domain.uuid, known(domain, before, { nowMs, pauseTold }))
    if (previous === undefined || before?.incoming === true) continue
    const fact = pause === undefined ? endFact(domain, before) : isTold ? undefined : pause
    if (fact === 'unexplained') unexplained.push(domain.uuid)
    else if (fact !== undefined) findings.push({ uuid: domain.uuid, before, ...fact })
  }
  for (const [uuid, before] of previous ?? []) {
    if (!next.has(uuid) && vanishedByFailure(before)) findings.push({ uuid, before, ...STOPPED_FAILED })
  }
  return { findings, next, unexplained }
}

function pauseFact({ state, reason }: CurrentDomain, panicAs: PanicAs): GuestFact | undefined {
  const paused = state === DomainState.PAUSED ? PAUSE_FACTS[reason] : undefined
  const virDomainEvent = state === DomainState.CRASHED ? 'CRASHED_PANICKED' : paused
  if (virDomainEvent === undefined) return undefined
  if (virDomainEvent === 'CRASHED_PANICKED' && panicAs === 'stopped_failed') return STOPPED_FAILED
  return { event: 'LIFECYCLE', virDomainEvent }
}

/** Of a crash the state does not show whether a kernel for it was loaded. */
function samePause(told: string | null | undefined, found: string): boolean {
  return told === found || (told === 'CRASHED_CRASHLOADED' && found === 'CRASHED_PANICKED')
}

function endFact(domain: CurrentDomain, before: KnownDomain | undefined): GuestFact | 'unexplained' | undefined {
  if (before === undefined || !isAlive(before) || domain.state !== DomainState.SHUTOFF) return undefined
  if (domain.reason === ShutoffReason.UNKNOWN) return 'unexplained'
  return FAILURES.has(domain.reason) ? STOPPED_FAILED : undefined
}

function vanishedByFailure(before: KnownDomain): boolean {
  return isAlive(before) && !before.persistent && !before.incoming && !isLeaving(before)
}

function known(
  domain: CurrentDomain,
  before: KnownDomain | undefined,
  { nowMs, pauseTold }: { nowMs: number; pauseTold: string | null },
): KnownDomain {
  const { name, state, reason, persistent } = domain
  const same = before?.state === state && before.reason === reason
  const arriving = state === DomainState.PAUSED && reason === PausedReason.MIGRATION
  return {
    name,
    state,
    reason,
    sinceMs: same ? before.sinceMs : nowMs,
    persistent,
    incoming: arriving && (before === undefined || before.incoming || !isAlive(before)),
    pauseTold,
    instanceUuid: before?.instanceUuid ?? null,
  }
}
