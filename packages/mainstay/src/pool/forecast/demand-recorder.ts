import { isJsonObject, parseJson, toJson } from '../../core/json.ts'
import type { PoolChange } from '../change.ts'
import type { GroupRules, LabelOptions } from '../options.ts'
import { carries } from '../sizing/ledger.ts'
import { labelNow } from '../sizing/schedule.ts'
import type { PoolStore } from '../store.ts'
import { emptyProfile, observeDemand, type DemandProfile } from './demand-profile.ts'
import { forecastIdle, type IdleForecast } from './idle-forecast.ts'

const KEY = 'demand_profile'

/** Labels are remembered beside the groups, under a name that no group can have. */
const placeOf = (label: string): string => `label ${label}`

/**
 * Learns what is asked for of each label and says what should be idle. It acts on nothing: `plan` shows what it says
 * beside what the pool does.
 *
 * A machine that is handed out counts as asked for at that moment, also when its request waited.
 *
 * Source: vm-pool.md C13.
 */
export class DemandRecorder {
  readonly #profiles = new Map<string, DemandProfile>()

  /** Counts a machine that was handed out, for every label that its group carries. */
  observe(change: PoolChange, labels: readonly LabelOptions[], groups: readonly GroupRules[]): void {
    const group = change.kind === 'vm.acquired' ? groups.find(({ id }) => id === change.group) : undefined
    if (group === undefined) return
    for (const { label } of labels) if (carries(group, label)) this.#add(label, change.at, 1)
  }

  /** What should be idle now, by label; nothing is known of a label that nobody asked for yet. */
  forecast(labels: readonly LabelOptions[], now: number): Readonly<Record<string, IdleForecast>> {
    return Object.fromEntries(
      labels.map((configured) => {
        const { options } = labelNow(configured, now)
        // Time without demand is demand of nothing.
        this.#add(options.label, now, 0)
        return [options.label, forecastIdle(this.#profile(options.label), now, options)]
      }),
    )
  }

  /** Keeps what was learnt, so that a restart does not forget weeks. */
  async save(store: PoolStore): Promise<void> {
    for (const [label, profile] of this.#profiles) await store.writeInfo(placeOf(label), KEY, toJson(profile))
  }

  /** Goes on with what was learnt before. What cannot be read is learnt anew. */
  async load(store: PoolStore, labels: readonly LabelOptions[]): Promise<void> {
    for (const { label } of labels) {
      const text = await store.readInfo(placeOf(label), KEY)
      const profile = text === null ? null : readProfile(text)
      if (profile !== null) this.#profiles.set(label, profile)
    }
  }

  #add(label: string, at: number, count: number): void {
    this.#profiles.set(label, observeDemand(this.#profile(label), at, count))
  }

  #profile(label: string): DemandProfile {
    return this.#profiles.get(label) ?? emptyProfile()
  }
}

function readProfile(text: string): DemandProfile | null {
  const found = parseJson(text, 'the demand profile of a label')
  const usable = isJsonObject(found) && Array.isArray(found['expected']) && isJsonObject(found['recent'])
  if (!usable || (found['expected'] as readonly unknown[]).length !== emptyProfile().expected.length) return null
  return found as unknown as DemandProfile
}
