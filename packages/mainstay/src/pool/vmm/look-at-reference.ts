import type { Clock } from '../../core/clock.ts'
import type { VmDescriptor as NativeVm } from '../descriptor.ts'
import type { VmmKeys } from './keys.ts'
import { listReference, readReference } from './read-reference.ts'
import type { VmmRedis } from './redis.ts'

/** A machine of the reference that can be adopted, as the native pool would know it. */
export interface ReferenceMachine {
  readonly vm: NativeVm
  /** Whether an earlier adoption took it over, or the native pool made it. */
  readonly known: boolean
}

/** A record that is not adopted. It stays as it is, and no machine of the native pool comes of it. */
export interface RefusedRecord {
  readonly name: string
  readonly because: string
}

/** What an adoption would find. */
export interface ReferenceLook {
  readonly machines: readonly ReferenceMachine[]
  readonly refused: readonly RefusedRecord[]
}

/**
 * Looks at what the reference left in these groups. Changes nothing.
 *
 * Source: vm-pool.md C18.
 */
export async function lookAtReference(
  groups: readonly number[],
  { redis, keys, clock }: { readonly redis: VmmRedis; readonly keys: VmmKeys; readonly clock: Clock },
): Promise<ReferenceLook> {
  const now = clock.now()
  const looks = await Promise.all(
    (await listReference(groups, { redis, keys })).map(async (listing): Promise<ReferenceMachine | RefusedRecord> => {
      const record = await readReference(listing, { redis, keys, now })
      if ('because' in record) return { name: listing.name, because: record.because }
      return { vm: record.vm, known: record.found === 'known' }
    }),
  )
  return {
    machines: looks.filter((look) => 'vm' in look),
    refused: looks.filter((look) => 'because' in look),
  }
}
