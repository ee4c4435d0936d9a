import type { Clock } from '../../core/clock.ts'
import type { VmDescriptor as NativeVm } from '../descriptor.ts'
import { VmDescriptor } from './descriptor.ts'
import { VmDescriptorNotFound } from './errors.ts'
import type { VmmKeys } from './keys.ts'
import { nativeRecord } from './native-record.ts'
import type { VmmRedis } from './redis.ts'

/** A machine of the reference that can be adopted, as the native pool would know it. */
export interface ReferenceMachine {
  readonly vm: NativeVm
  /** Whether an earlier adoption took it over, or the native pool made it. */
  readonly known: boolean
}

/** What an adoption would find. */
export interface ReferenceLook {
  readonly machines: readonly ReferenceMachine[]
  /** What would be left as it is, and why. */
  readonly left: readonly { readonly name: string; readonly because: string }[]
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
  const members = await Promise.all(groups.map(async (group) => await redis.sMembers(keys.pool(group))))
  const names = members.flat().sort()
  const now = clock.now()
  const looks = await Promise.all(
    names.map(async (name): Promise<ReferenceMachine | { readonly name: string; readonly because: string }> => {
      try {
        const vm = nativeRecord(await VmDescriptor.load(redis, keys, name), { now })
        return { vm, known: (await redis.hGet(keys.vm(name), 'state_since')) !== null }
      } catch (error) {
        if (!(error instanceof VmDescriptorNotFound)) throw error
        return { name, because: error.message }
      }
    }),
  )
  return {
    machines: looks.filter((look) => 'vm' in look),
    left: looks.filter((look) => 'because' in look),
  }
}
