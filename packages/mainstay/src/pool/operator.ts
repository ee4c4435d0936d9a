import type { Clock } from '../core/clock.ts'
import { InvalidInputError } from '../core/errors.ts'
import type { Ids } from '../core/ids.ts'
import type { DrainMode } from './descriptor.ts'
import type { Batch, FailureHold, PoolStore } from './store.ts'

export interface PoolOperatorDeps {
  readonly store: PoolStore
  readonly clock: Clock
  readonly ids: Ids
}

/**
 * What a person does with the pool. Each is one transition of the store; what it changed is told on.
 *
 * Source: vm-pool.md C12, C15.
 */
export class PoolOperator {
  readonly #deps: PoolOperatorDeps

  constructor(deps: PoolOperatorDeps) {
    this.#deps = deps
  }

  get store(): PoolStore {
    return this.#deps.store
  }

  /** @throws HoldRefusedError, VmNotFoundError, VmStateError */
  async hold(input: {
    readonly name: string
    readonly forMs: number
    readonly reason: string
    readonly by: string
  }): Promise<void> {
    const { forMs, ...hold } = input
    const now = this.#deps.clock.now()
    await this.store.hold({ ...hold, until: now + forMs, now })
  }

  async unhold(names: readonly string[]): Promise<Batch> {
    return await this.store.unhold({ names, now: this.#deps.clock.now() })
  }

  /** @returns the rule's id */
  async holdOnFailure(rule: Omit<FailureHold, 'id' | 'expiresAt'> & { readonly expiresInMs: number }): Promise<string> {
    const { expiresInMs, ...rest } = rule
    const id = this.#deps.ids.ordered()
    await this.store.holdOnFailure({ ...rest, id, expiresAt: this.#deps.clock.now() + expiresInMs })
    return id
  }

  async drain(names: readonly string[], mode: DrainMode): Promise<Batch> {
    return await this.store.drain({ names, mode, now: this.#deps.clock.now() })
  }

  async undrain(names: readonly string[]): Promise<Batch> {
    return await this.store.undrain({ names, now: this.#deps.clock.now() })
  }

  async recheck(names: readonly string[]): Promise<Batch> {
    return await this.store.recheck({ names, now: this.#deps.clock.now() })
  }

  /** Destroys machines on an operator's word; those in use only with `force`. */
  async delete(
    names: readonly string[],
    options: { readonly force: boolean; readonly reason: string },
  ): Promise<Batch> {
    const { force, reason } = options
    const by = { operator: true, force } as const
    return await this.store.terminate({ names, by, reason, now: this.#deps.clock.now() })
  }

  /** Takes a machine in that somebody else made. @throws VmExistsError, PoolGroupNotFoundError */
  async adopt(vm: {
    readonly name: string
    readonly group: string
    readonly ip: string
    readonly provider?: string | null
    readonly providerId?: string | null
  }): Promise<void> {
    await this.store.addVm({ ...vm, fence: null, now: this.#deps.clock.now() })
  }

  async cancel(id: string, reason: string): Promise<void> {
    await this.store.cancel({ id, reason, now: this.#deps.clock.now() })
  }

  async reorder(input: { readonly id: string; readonly priority?: number; readonly ahead?: string }): Promise<void> {
    await this.store.reorder({ ...input, now: this.#deps.clock.now() })
  }
}

/** @throws InvalidInputError */
export function requireReason(reason: string): string {
  if (reason.trim() === '') throw new InvalidInputError('Give a reason: it is kept for whoever asks later.')
  return reason.trim()
}
