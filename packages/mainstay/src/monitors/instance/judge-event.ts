import { DomainEventId, LifecycleEvent } from '@mainstay/libvirt-rpc'

import { track, type KnownDomain } from './known-domain.ts'
import { normalise, type WatchedEvent } from './normalise.ts'
import { factOf, type GuestFact, type PanicAs } from './report-table.ts'

export interface Judgement {
  /** What is known of the domain from now on; undefined once it is gone. */
  readonly known: KnownDomain | undefined
  readonly fact: GuestFact | undefined
  /** Why a fact of the table is not told. */
  readonly suppressed: 'incoming' | 'same_pause' | undefined
}

/**
 * What one event says about a domain. Repetitions within a window are another rule: `repeats.ts`.
 *
 * - IM-8 a pause is told once; Resumed ends it.
 * - IM-11 a domain that arrives by migration is not judged: when that fails, the guest runs on where it was.
 */
export function judgeEvent(
  event: WatchedEvent,
  known: KnownDomain | undefined,
  { panicAs, nowMs }: { panicAs: PanicAs; nowMs: number },
): Judgement {
  const fact = factOf(normalise(event), { panicAs })
  const isLifecycle = event.id === DomainEventId.LIFECYCLE
  const next = isLifecycle ? track(known, event, { name: event.domain.name, nowMs }) : known
  if (fact === undefined) return { known: next, fact, suppressed: undefined }
  if (known?.incoming === true) return { known: next, fact: undefined, suppressed: 'incoming' }
  if (!isPause(event)) return { known: next, fact, suppressed: undefined }
  if (known?.pauseTold === fact.virDomainEvent) return { known: next, fact: undefined, suppressed: 'same_pause' }
  return { known: next && { ...next, pauseTold: fact.virDomainEvent }, fact, suppressed: undefined }
}

/** A crashed domain stands still like a paused one. */
function isPause(event: WatchedEvent): boolean {
  if (event.id !== DomainEventId.LIFECYCLE) return false
  return event.event === LifecycleEvent.SUSPENDED || event.event === LifecycleEvent.CRASHED
}
