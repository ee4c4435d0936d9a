import type { WatchedEvent } from './normalise.ts'
import type { CurrentDomain } from './reconcile.ts'

/** Who tells of domains, as the instance monitor needs it. Reconnecting for ever is the source's affair (IM-3). */
export interface DomainSource {
  /** Begins; the listener is called from now on, until {@link DomainSource.stop}. */
  start(listener: DomainListener): void
  stop(): Promise<void>
}

export interface DomainListener {
  /** From here on no event is missed; what happened before has to be found by comparing (IM-4). */
  connected(access: DomainAccess): void
  disconnected(reason: string): void
  event(event: WatchedEvent): void
}

/** What can be asked over one connection. All calls reject once it is gone. */
export interface DomainAccess {
  /** All domains, active or not. */
  listDomains(options: { signal: AbortSignal }): Promise<CurrentDomain[]>
  /** The metadata element of that namespace; undefined when the domain has none. Rejects when the domain is gone. */
  metadata(
    domain: { readonly uuid: string; readonly name: string },
    options: { namespace: string; signal: AbortSignal },
  ): Promise<string | undefined>
}
