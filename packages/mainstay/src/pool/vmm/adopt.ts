import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/logging.ts'
import type { VmDescriptor as NativeVm } from '../descriptor.ts'
import { secondsText } from '../seconds.ts'
import type { PoolConfiguration } from '../options.ts'
import type { PoolStore } from '../store.ts'
import type { VmmKeys } from './keys.ts'
import type { RefusedRecord } from './look-at-reference.ts'
import { listReference, readReference } from './read-reference.ts'
import type { VmmRedis } from './redis.ts'
import { SCRIPTS } from './scripts.ts'

export interface AdoptDependencies {
  readonly redis: VmmRedis
  readonly keys: VmmKeys
  /** The native store on the same database and prefix. */
  readonly store: Pick<PoolStore, 'configure' | 'reindex'>
  readonly clock: Clock
  readonly logger: Logger
}

export interface Adoption {
  readonly adopted: readonly string[]
  /** Records that are damaged, or that were changed again and again meanwhile; they are as they were. */
  readonly refused: readonly RefusedRecord[]
}

/** How often a machine is looked at again that others change at the same time. */
const ATTEMPTS = 5

/**
 * Makes a pool that the reference left on Redis one of the native store on the same database: each record gets the fields that only
 * the native pool knows, and the indexes are made from the records by the rules of the configuration. Fields of the reference
 * stay as they are, so running uses go on. May be repeated; what is adopted already is not changed again.
 *
 * A damaged record is refused: nothing of it is written, and the native store is told to leave it alone until a later adoption
 * finds it mended. The others are adopted all the same. One that was adopted before and is damaged is told of, and goes on.
 *
 * The master of the reference must have been stopped. Source: vm-pool.md C18.
 *
 * @param configuration groups whose ids are numbers are those of the reference
 */
export async function adoptReferencePool(
  configuration: PoolConfiguration,
  dependencies: AdoptDependencies,
): Promise<Adoption> {
  const { store, clock, logger } = dependencies
  const groups = configuration.groups.map(({ id }) => id).filter((id) => /^\d+$/.test(id))
  const listings = await listReference(groups.map(Number), dependencies)
  const outcomes = await Promise.all(
    listings.map(async (listing) => ({ name: listing.name, because: await adoptVm(listing, dependencies) })),
  )
  const adopted = outcomes.filter(({ because }) => because === null).map(({ name }) => name)
  const refused = outcomes.flatMap(({ name, because }) => (because === null ? [] : [{ name, because }]))
  await store.configure(configuration, { fence: null })
  await store.reindex({ now: clock.now(), fence: null })
  logger.info({ adopted: adopted.length, refused }, `${adopted.length} machines of the reference were adopted`)
  return { adopted, refused }
}

/** @returns why it was not adopted, null when it was */
async function adoptVm(
  listing: { readonly name: string; readonly groups: readonly number[] },
  { redis, keys, clock, logger }: AdoptDependencies,
): Promise<string | null> {
  const { name } = listing
  const refuse = async (because: string): Promise<string> => {
    await redis.hSet(keys.refused, { [name]: because })
    logger.warn({ vm: name }, `A machine of the reference was not adopted: ${because}`)
    return because
  }
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const record = await readReference(listing, { redis, keys, now: clock.now() })
    if (record.found === 'known') return null
    // The reconciler sees to names without a record; a machine that is at work is not taken out of the pool.
    if (record.found === 'nothing' || record.found === 'damaged in use') return record.because
    if (record.found === 'damaged') return await refuse(record.because)
    const { vm } = record
    const written = await redis.run(
      SCRIPTS.adoptVm,
      [keys.vm(name), keys.refused],
      [vm.state, name, ...nativeFields(vm)],
    )
    if (written === 'OK') return null
  }
  return await refuse('it is being changed all the time')
}

/** What the native store keeps in the hash besides, or instead of something that may be missing: its names and units. */
function nativeFields(vm: NativeVm): string[] {
  const milliseconds: Record<string, number | null> = {
    state_since: vm.stateSince,
    created_at: vm.createdAt,
    bound_since: vm.boundSince,
    check_passed_at: vm.checkPassedAt,
  }
  const seconds: Record<string, number | null> = {
    in_use_since: vm.inUseSince,
    terminating_since: vm.terminatingSince,
  }
  const texts: [string, string | null][] = [
    ...Object.entries(milliseconds).map(([field, ms]): [string, string | null] => [
      field,
      ms === null ? null : String(ms),
    ]),
    ...Object.entries(seconds).map(([field, ms]): [string, string | null] => [
      field,
      ms === null ? null : secondsText(ms),
    ]),
    ['check_fails', String(vm.checkFails)],
    ['builds_count', String(vm.uses)],
    ['reattach', vm.reattach ? '1' : null],
  ]
  return texts.flatMap(([field, value]) => (value === null ? [] : [field, value]))
}
