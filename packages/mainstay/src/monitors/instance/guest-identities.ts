import type { Clock } from '../../core/clock.ts'
import { withDeadline } from '../../core/deadline.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logging.ts'
import type { DomainAccess } from './domain-source.ts'
import type { KnownDomain } from './known-domain.ts'
import { uuidInMetadata, type UuidSource } from './uuid-source.ts'

interface Look {
  readonly source: UuidSource
  /** Undefined while libvirt is away. */
  readonly access: DomainAccess | undefined
  readonly timeoutMs: number
}

/**
 * Whose domains they are where that is not the domain's UUID. That a domain has no text at `uuid_source` is for good; that
 * it cannot be read now is not, so the two are told apart.
 *
 * Source: monitors.md IM-10.
 */
export class GuestIdentities {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #signal: AbortSignal
  /** How the last look went where it found nothing. */
  readonly #looks = new Map<string, 'none' | 'unread'>()

  constructor({ clock, logger, signal }: { clock: Clock; logger: Logger; signal: AbortSignal }) {
    this.#clock = clock
    this.#logger = logger
    this.#signal = signal
  }

  /** The domain with its identity, which is looked for in its metadata until it is found. */
  async identified(uuid: string, known: KnownDomain, look: Look): Promise<KnownDomain> {
    if (look.source.kind === 'domain' || known.instanceUuid !== null) return known
    if (look.access === undefined) {
      this.#looks.delete(uuid)
      return known
    }
    const instanceUuid = await this.#read({ uuid, name: known.name }, look.source, { ...look, access: look.access })
    if (typeof instanceUuid === 'string') this.#looks.delete(uuid)
    else this.#looks.set(uuid, instanceUuid === null ? 'none' : 'unread')
    return { ...known, instanceUuid: instanceUuid ?? null }
  }

  /** Whether there was none when it was looked for last; false too when nobody has looked, or could. */
  hasNone(uuid: string): boolean {
    return this.#looks.get(uuid) === 'none'
  }

  /** Of a domain that is gone nothing can be read any more. */
  keepOnly(domains: ReadonlyMap<string, unknown>): void {
    for (const uuid of this.#looks.keys()) if (!domains.has(uuid)) this.#looks.delete(uuid)
  }

  /** Null when there is none, undefined when it cannot be read now. */
  async #read(
    domain: { readonly uuid: string; readonly name: string },
    { namespace, tag }: Extract<UuidSource, { kind: 'metadata' }>,
    { access, timeoutMs }: Look & { readonly access: DomainAccess },
  ): Promise<string | null | undefined> {
    const limits = {
      clock: this.#clock,
      what: `Reading metadata of ${domain.name}`,
      timeoutMs,
      signal: this.#signal,
    }
    try {
      const xml = await withDeadline(limits, async (signal) => await access.metadata(domain, { namespace, signal }))
      return (xml === undefined ? undefined : uuidInMetadata(xml, tag)) ?? null
    } catch (error) {
      const text = `The identity of guest ${domain.name} cannot be read: ${errorMessage(error)}`
      if (this.#looks.get(domain.uuid) !== 'unread') this.#logger.warn({ uuid: domain.uuid, err: error }, text)
      return undefined
    }
  }
}
