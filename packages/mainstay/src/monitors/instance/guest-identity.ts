import type { Clock } from '../../core/clock.ts'
import { withDeadline } from '../../core/deadline.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logging.ts'
import type { DomainAccess } from './domain-source.ts'
import { uuidInMetadata, type UuidSource } from './uuid-source.ts'

/**
 * The text at `uuid_source` in a domain's metadata; null when there is none, or it cannot be read now.
 *
 * Source: monitors.md IM-10.
 */
export async function guestIdentity(
  domain: { readonly uuid: string; readonly name: string },
  { namespace, tag }: Extract<UuidSource, { kind: 'metadata' }>,
  {
    access,
    clock,
    logger,
    timeoutMs,
    signal,
  }: {
    access: DomainAccess
    clock: Clock
    logger: Logger
    timeoutMs: number
    signal: AbortSignal
  },
): Promise<string | null> {
  const limits = { clock, what: `Reading metadata of ${domain.name}`, timeoutMs, signal }
  try {
    const xml = await withDeadline(limits, async (bounded) => {
      return await access.metadata(domain, { namespace, signal: bounded })
    })
    return (xml === undefined ? undefined : uuidInMetadata(xml, tag)) ?? null
  } catch (error) {
    const text = `The identity of guest ${domain.name} cannot be read: ${errorMessage(error)}`
    logger.warn({ uuid: domain.uuid, err: error }, text)
    return null
  }
}
