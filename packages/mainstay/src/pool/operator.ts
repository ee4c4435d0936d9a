import type { Clock } from '../core/clock.ts'
import { InvalidInputError } from '../core/errors.ts'
import type { Ids } from '../core/ids.ts'
import { requireAdoptable } from './adoptable.ts'
import { allRecords } from './all-records.ts'
import type { DrainMode, VmDescriptor } from './descriptor.ts'
import { PoolGroupNotFoundError, PoolLabelNotFoundError } from './errors.ts'
import type { ProviderFleet } from './provider/fleet.ts'
import { carries } from './sizing/ledger.ts'
import type { Batch, FailureHold, PoolStore } from './store.ts'

export interface PoolOperatorDeps {
  readonly store: PoolStore
  readonly clock: Clock
  readonly ids: Ids
  readonly fleet: Pick<ProviderFleet, 'serves'>
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

  /**
   * Keeps the machine of the next use that fails.
   *
   * @returns the rule's id
   * @throws PoolGroupNotFoundError, PoolLabelNotFoundError for a rule that nothing could ever meet
   */
  async holdOnFailure(rule: Omit<FailureHold, 'id' | 'expiresAt'> & { readonly expiresInMs: number }): Promise<string> {
    const { expiresInMs, ...rest } = rule
    await this.#mustExist(rest.match)
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

  /**
   * Destroys machines on an operator's word; those in use only with `force`. With `force` the record of one whose provider is
   * not configured any more is forgotten at once, because nobody can destroy it.
   */
  async delete(
    names: readonly string[],
    options: { readonly force: boolean; readonly reason: string },
  ): Promise<Batch> {
    const { force, reason } = options
    const by = { operator: true, force } as const
    const beyondReach = force ? await this.#beyondReach(names) : []
    const reachable = names.filter((name) => !beyondReach.some((vm) => vm.name === name))
    const now = this.#deps.clock.now()
    const batch = await this.store.terminate({ names: reachable, by, reason, now })
    const forgotten: Batch[] = []
    for (const vm of beyondReach) forgotten.push(await this.#forget(vm, reason))
    return {
      refused: [batch, ...forgotten].flatMap(({ refused }) => refused),
      changes: [batch, ...forgotten].flatMap(({ changes }) => changes),
    }
  }

  async #beyondReach(names: readonly string[]): Promise<VmDescriptor[]> {
    const vms = await Promise.all(names.map(async (name) => await this.store.get(name)))
    return vms.filter((vm) => vm !== null).filter((vm) => !this.#deps.fleet.serves(vm))
  }

  async #forget({ name, state, provider }: VmDescriptor, why: string): Promise<Batch> {
    const reason = `${why}; its provider ${provider} is not configured, and the machine itself was not destroyed`
    const by = { operator: true, force: true } as const
    const now = this.#deps.clock.now()
    // Also one that was to be destroyed already, so that its end says what became of it.
    const ended = await this.store.terminate({ names: [name], by, reason, allowedFrom: [state], now })
    if (ended.refused.length > 0) return ended
    const { changes } = await this.store.remove({ name, now })
    return { refused: [], changes: [...ended.changes, ...changes] }
  }

  /**
   * Takes a machine in that somebody else made.
   *
   * @throws VmExistsError, also for a name that differs in its case alone; PoolGroupNotFoundError; InvalidInputError when `name` or
   * `ip` is none, or the address is another machine's
   */
  async adopt(vm: {
    readonly name: string
    readonly group: string
    readonly ip: string
    readonly provider?: string | null
    readonly providerId?: string | null
  }): Promise<void> {
    requireAdoptable(vm, await allRecords(this.store))
    await this.store.addVm({ ...vm, fence: null, now: this.#deps.clock.now() })
  }

  async cancel(id: string, reason: string): Promise<void> {
    await this.store.cancel({ id, reason, now: this.#deps.clock.now() })
  }

  async reorder(input: { readonly id: string; readonly priority?: number; readonly ahead?: string }): Promise<void> {
    await this.store.reorder({ ...input, now: this.#deps.clock.now() })
  }

  /** A task may come later; a group or a label that is not configured now is a slip of the pen. */
  async #mustExist(match: FailureHold['match']): Promise<void> {
    const { groups } = await this.store.configuration()
    if ('group' in match && !groups.some(({ id }) => id === match.group)) throw new PoolGroupNotFoundError(match.group)
    if (!('label' in match) || groups.some((group) => carries(group, match.label))) return
    const known = [...new Set(groups.flatMap(({ id, labels }) => [id, ...labels]))]
    throw new PoolLabelNotFoundError(match.label, known)
  }
}

/** @throws InvalidInputError */
export function requireReason(reason: string): string {
  if (reason.trim() === '') throw new InvalidInputError('Give a reason: it is kept for whoever asks later.')
  return reason.trim()
}
