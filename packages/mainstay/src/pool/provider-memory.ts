import { Type } from 'typebox'
import { Compile } from 'typebox/compile'

import { parseJson, toJson } from '../core/json.ts'
import type { ProviderHealth } from './provider-health.ts'
import type { ProviderFleet } from './provider/fleet.ts'
import type { PoolStore } from './store.ts'

const KEY = 'provider_health'

/** Providers are remembered beside the groups, under a name that no group can have. */
const placeOf = (provider: string): string => `provider ${provider}`

const number = Type.Number()
const record = Compile(
  Type.Object({
    successRate: Type.Number({ minimum: 0, maximum: 1 }),
    startMs: Type.Union([number, Type.Null()]),
    updatedAt: number,
    failuresInRow: number,
    opens: number,
    openedAt: number,
    openUntil: number,
    probingSince: Type.Union([number, Type.Null()]),
    disabledBecause: Type.Union([Type.String(), Type.Null()]),
    intervalMs: number,
    nextAttemptAt: number,
  }),
)

/**
 * How the providers do, kept with the pool: a circuit that is open stays open for the next leader, and every process can show
 * it.
 *
 * Source: vm-pool.md C9, C11.
 */
export class ProviderMemory {
  readonly #store: PoolStore
  readonly #kept = new Map<string, ProviderHealth>()

  constructor(store: PoolStore) {
    this.#store = store
  }

  /** Keeps what has changed since the last time. */
  async keep(fleet: ProviderFleet): Promise<void> {
    for (const { name, health } of fleet.known()) {
      if (this.#kept.get(name) === health) continue
      await this.#store.writeInfo(placeOf(name), KEY, toJson(health))
      this.#kept.set(name, health)
    }
  }

  /**
   * Goes on where the leader before left off. Its probe ended with it, so another may begin. That credentials were refused is
   * found out anew: they may have been repaired, which is why it was started again.
   */
  async takeOver(fleet: ProviderFleet): Promise<void> {
    await this.#recall(fleet, (health) => ({ ...health, probingSince: null, disabledBecause: null }))
  }

  /** Knows what the leader knows, to show it. */
  async follow(fleet: ProviderFleet): Promise<void> {
    await this.#recall(fleet, (health) => health)
  }

  async #recall(fleet: ProviderFleet, as: (health: ProviderHealth) => ProviderHealth): Promise<void> {
    for (const { name } of fleet.providers) {
      const text = await this.#store.readInfo(placeOf(name), KEY)
      const health = text === null ? null : readHealth(text)
      if (health !== null) fleet.recall(name, as(health))
    }
  }
}

/** Null for what another version wrote: it is learnt anew. */
function readHealth(text: string): ProviderHealth | null {
  const found = parseJson(text, 'what is remembered of a provider')
  return record.Check(found) ? found : null
}
