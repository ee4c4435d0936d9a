import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/logging.ts'
import type { VmDescriptor as NativeVm } from '../descriptor.ts'
import { secondsText } from '../seconds.ts'
import type { PoolConfiguration } from '../options.ts'
import type { PoolStore } from '../store.ts'
import { VmDescriptor } from './descriptor.ts'
import { VmDescriptorNotFound } from './errors.ts'
import type { VmmKeys } from './keys.ts'
import { nativeRecord } from './native-record.ts'
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
  /** Names whose records lack something, or that were changed again and again meanwhile; they are as they were. */
  readonly left: readonly string[]
}

/** How often a machine is looked at again that others change at the same time. */
const ATTEMPTS = 5

/**
 * Makes a pool that the reference left on Redis one of the native store on the same database: each record gets the fields that only
 * the native pool knows, and the indexes are made from the records by the rules of the configuration. Fields of the reference
 * stay as they are, so running uses go on. May be repeated; what is adopted already is not changed again.
 *
 * The master of the reference must have been stopped. Source: vm-pool.md C18.
 *
 * @param configuration groups whose ids are numbers are those of the reference
 */
export async function adoptReferencePool(
  configuration: PoolConfiguration,
  dependencies: AdoptDependencies,
): Promise<Adoption> {
  const { redis, keys, store, clock, logger } = dependencies
  const groups = configuration.groups.map(({ id }) => id).filter((id) => /^\d+$/.test(id))
  const members = await Promise.all(groups.map(async (group) => await redis.sMembers(keys.pool(Number(group)))))
  const names = members.flat().sort()
  const outcomes = await Promise.all(names.map(async (name) => await adoptVm(name, dependencies)))
  const adopted = names.filter((_, index) => outcomes[index] === true)
  const left = names.filter((_, index) => outcomes[index] === false)
  await store.configure(configuration, { fence: null })
  await store.reindex({ now: clock.now(), fence: null })
  logger.info({ adopted: adopted.length, left }, `${adopted.length} machines of the reference were adopted`)
  return { adopted, left }
}

async function adoptVm(name: string, { redis, keys, clock, logger }: AdoptDependencies): Promise<boolean> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    try {
      const vm = await VmDescriptor.load(redis, keys, name)
      const fields = nativeFields(nativeRecord(vm, { now: clock.now() }))
      if ((await redis.run(SCRIPTS.adoptVm, [vm.vmKey], [vm.state, ...fields])) === 'OK') return true
    } catch (error) {
      if (!(error instanceof VmDescriptorNotFound)) throw error
      logger.warn({ vm: name }, `A machine of the reference was not adopted: ${error.message}`)
      return false
    }
  }
  logger.warn({ vm: name }, 'A machine of the reference was not adopted: it is being changed all the time')
  return false
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
