import { isJsonObject, parseJson, toJson } from '../core/json.ts'
import type { DrainMode } from './descriptor.ts'
import type { GroupRules, PoolConfiguration } from './options.ts'
import type { ProviderFleet } from './provider/fleet.ts'
import type { PoolStore } from './store.ts'

/** The key under which an operator's word about a group or a provider is kept with the pool. */
const KEY = 'operator_mark'

/** Providers are remembered beside the groups, under a name that no group can have. */
const placeOf = (provider: string): string => `provider ${provider}`

interface Mark {
  readonly drain: DrainMode | null
  /** When somebody last enabled it by hand; 0 for never. */
  readonly enabledAt: number
}

const NO_MARK: Mark = { drain: null, enabledAt: 0 }

/**
 * What operators said about groups and providers. It is kept with the pool, so that it survives a restart and reaches the
 * process that leads, and is laid over what the configuration file says.
 *
 * Source: vm-pool.md C12 (drain of a group or a provider).
 */
export class OperatorMarks {
  readonly #store: PoolStore

  constructor(store: PoolStore) {
    this.#store = store
  }

  /** The configuration with the groups that operators drained. */
  async overlay(configuration: PoolConfiguration): Promise<PoolConfiguration> {
    const groups: GroupRules[] = []
    for (const group of configuration.groups) {
      const { drain } = await this.#read(group.id)
      groups.push(drain === null ? group : { ...group, draining: drain })
    }
    return { ...configuration, groups }
  }

  async drainGroup(group: string, drain: DrainMode | null): Promise<void> {
    await this.#change(group, { drain })
  }

  async drainProvider(provider: string, drain: DrainMode | null): Promise<void> {
    await this.#change(placeOf(provider), { drain })
  }

  async enableProvider(provider: string, now: number): Promise<void> {
    await this.#change(placeOf(provider), { enabledAt: now })
  }

  /** Tells a fleet what operators said of its providers, since the last time that it was told. */
  async apply(fleet: ProviderFleet, since: Map<string, number>): Promise<void> {
    for (const { name } of fleet.providers) {
      const { drain, enabledAt } = await this.#read(placeOf(name))
      fleet.setDraining(name, drain !== null)
      const known = since.get(name)
      if (known !== undefined && enabledAt > known) fleet.enable(name)
      since.set(name, enabledAt)
    }
  }

  async #change(place: string, fields: Partial<Mark>): Promise<void> {
    const mark = { ...(await this.#read(place)), ...fields }
    await this.#store.writeInfo(place, KEY, toJson(mark))
  }

  async #read(place: string): Promise<Mark> {
    const text = await this.#store.readInfo(place, KEY)
    if (text === null) return NO_MARK
    const found = parseJson(text, `the mark of ${place}`)
    if (!isJsonObject(found)) return NO_MARK
    const { drain, enabledAt } = found
    return {
      drain: drain === 'terminate' || drain === 'keep' ? drain : null,
      enabledAt: typeof enabledAt === 'number' ? enabledAt : 0,
    }
  }
}
