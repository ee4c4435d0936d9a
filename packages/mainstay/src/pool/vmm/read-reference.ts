import type { VmDescriptor as NativeVm } from '../descriptor.ts'
import { fieldsOf, readVm } from '../redis/fields.ts'
import { VM_STATES } from '../state.ts'
import { damageOf } from './damage.ts'
import { VmDescriptor } from './descriptor.ts'
import { VmDescriptorNotFound } from './errors.ts'
import type { VmmKeys } from './keys.ts'
import { nativeRecord } from './native-record.ts'
import type { VmmRedis } from './redis.ts'

/** A record of the reference, as an adoption finds it. */
export type ReferenceRecord =
  | { readonly found: 'whole'; readonly vm: NativeVm }
  /** An earlier adoption took it over, or the native pool made it: by now it follows other rules. */
  | { readonly found: 'known'; readonly vm: NativeVm }
  | { readonly found: 'damaged'; readonly because: string }
  /** The native pool has it, and it is damaged: an older adoption took it as it was, or somebody wrote into it since. */
  | { readonly found: 'damaged in use'; readonly because: string }
  /** The name of a machine without a record. */
  | { readonly found: 'nothing'; readonly because: string }

/** The machines of some groups of the reference: each name once, in order, with the groups whose sets it is in. */
export async function listReference(
  groups: readonly number[],
  { redis, keys }: { readonly redis: VmmRedis; readonly keys: VmmKeys },
): Promise<readonly { readonly name: string; readonly groups: readonly number[] }[]> {
  const found = new Map<string, number[]>()
  const members = await Promise.all(groups.map(async (group) => await redis.sMembers(keys.pool(group))))
  for (const [index, names] of members.entries()) {
    for (const name of names) found.set(name, [...(found.get(name) ?? []), groups[index]!])
  }
  return [...found].map(([name, own]) => ({ name, groups: own })).sort((a, b) => (a.name < b.name ? -1 : 1))
}

/**
 * Reads one record of the reference; changes nothing.
 *
 * Source: vm-pool.md C18.
 *
 * @param now milliseconds since the Unix epoch
 */
export async function readReference(
  listing: { readonly name: string; readonly groups: readonly number[] },
  { redis, keys, now }: { readonly redis: VmmRedis; readonly keys: VmmKeys; readonly now: number },
): Promise<ReferenceRecord> {
  const { name } = listing
  const raw = await redis.hGetAll(keys.vm(name))
  if (Object.keys(raw).length === 0) return { found: 'nothing', because: `there is no record of machine ${name}` }
  if (raw['state_since'] !== undefined) {
    const vm = readVm(name, fieldsOf(Object.entries(raw).flat()))
    const damage = vm === null ? null : damageOf(raw, { ...listing, states: VM_STATES })
    if (damage !== null) return { found: 'damaged in use', because: `it is in the pool already, and ${damage}` }
    if (vm !== null) return { found: 'known', vm }
  }
  const damage = damageOf(raw, listing)
  if (damage !== null) return { found: 'damaged', because: damage }
  try {
    return { found: 'whole', vm: nativeRecord(VmDescriptor.fromDict({ vm_name: name, ...raw }, keys), { now }) }
  } catch (error) {
    if (!(error instanceof VmDescriptorNotFound)) throw error
    return { found: 'damaged', because: error.message.replace(/\.$/, '') }
  }
}
