import type { Clock } from '../core/clock.ts'
import type { Ids } from '../core/ids.ts'
import { DEFAULT_SANDBOX, groupsFor, type AcquireInput } from './acquire-input.ts'
import { awaitGrant, findGrant, type Acquired, type AwaitOptions } from './await-grant.ts'
import { checkHandOver, markHandedOver, type HandOverCheck } from './hand-over.ts'
import { PoolHandOverError, PoolRequestRefusedError, PoolUnavailableError } from './manager-errors.ts'
import type { PoolConfiguration } from './options.ts'
import type { AcquireRequest, PoolRequest } from './request.ts'
import type { AcquireOutcome, Heartbeat, PoolStore, VmLease } from './store.ts'
import type { VmDescriptor } from './descriptor.ts'
import type { Waiters } from './waiters.ts'

export interface PoolManagerDeps {
  readonly store: PoolStore
  readonly clock: Clock
  readonly ids: Ids
  readonly waiters: Waiters
  readonly handOver?: HandOverCheck
}

/** How long the configuration that a request is resolved with may be old, in milliseconds. */
const CONFIGURATION_AGE_MS = 1000

/** How many machines are thrown away at the hand-over before the caller hears of it. */
const HAND_OVER_ATTEMPTS = 3

/**
 * What clients do with the pool. Each is one transition of the store; what it changed is told on.
 *
 * Source: vm-pool.md A5, C1, C3-C5.
 */
export class PoolManager {
  readonly #deps: PoolManagerDeps
  #configuration: { readonly value: PoolConfiguration; readonly at: number } | null = null

  constructor(deps: PoolManagerDeps) {
    this.#deps = deps
  }

  get store(): PoolStore {
    return this.#deps.store
  }

  /**
   * Takes machines, or waits for them up to `waitMs`. A request that waits stays in the queue when the signal is aborted,
   * so that a client that lost its connection finds it again; see `cancel`.
   *
   * @param options.untilMs when to answer that it still waits, for a long poll; at the end of the wait unless given
   * @throws PoolUnavailableError, PoolRequestRefusedError, PoolRequestImpossibleError, PoolGroupNotFoundError,
   * PoolHandOverError, InvalidInputError, or the signal's reason
   */
  async acquire(input: AcquireInput, options: AwaitOptions): Promise<Acquired> {
    const { clock, ids } = this.#deps
    const submittedAt = clock.now()
    const waitUntil = input.waitMs === undefined ? null : submittedAt + input.waitMs
    const groups = groupsFor(input, await this.#configured())
    const wish = wishOf(input, groups)
    const id = input.requestId ?? ids.random()
    const ask = async (): Promise<Acquired> => {
      // Whoever has gone before anything was granted is granted nothing.
      options.signal.throwIfAborted()
      const request = { ...wish, submittedAt, waitUntil, id, leaseToken: ids.random() }
      const outcome = await this.store.acquire({ ...request, now: clock.now() })
      return await this.#settled(outcome, { ...input, id }, options)
    }
    return await this.#checked(id, { first: ask, again: ask }, options)
  }

  /**
   * Waits for a request that is in the queue already.
   *
   * @param options.check false for somebody who only wants to know what it has: nothing is checked before it is answered then
   * @throws PoolRequestRefusedError when it ended without a machine or is unknown, PoolHandOverError, or the signal's reason
   */
  async await(id: string, options: AwaitOptions & { readonly check?: boolean }): Promise<Acquired> {
    const request = await this.store.request(id)
    const first = async (): Promise<Acquired> => {
      const granted = await findGrant(this.store, id)
      if (granted !== null) return granted
      if (request === null) throw new PoolRequestRefusedError(id, 'unknown', 'it was never queued, or ended long ago')
      return await awaitGrant(this.#deps, request, options)
    }
    if (options.check === false) {
      const found = await first()
      return found.outcome === 'granted' ? { ...found, leases: await markHandedOver(found.leases, this.#deps) } : found
    }
    return await this.#checked(id, { first, again: request === null ? null : this.#asked(request, options) }, options)
  }

  async heartbeat(lease: { readonly name: string; readonly token: string }): Promise<Heartbeat> {
    return await this.store.heartbeat({ ...lease, now: this.#deps.clock.now() })
  }

  /** @throws VmLeaseLostError, VmNotFoundError */
  async release(lease: {
    readonly name: string
    readonly token: string
    readonly failed?: boolean
  }): Promise<VmDescriptor> {
    return (await this.store.release({ ...lease, now: this.#deps.clock.now() })).vm
  }

  /** Ends a machine in favour of its holder, for example after a broken connection. @throws VmLeaseLostError */
  async giveUp(lease: { readonly name: string; readonly token: string; readonly reason: string }): Promise<void> {
    const { name, token, reason } = lease
    const now = this.#deps.clock.now()
    await this.store.terminate({ names: [name], by: { token }, reason, now })
  }

  /** Takes over the machine of a task whose worker is gone. Null when there is none. */
  async reattach(input: {
    readonly taskId: string
    readonly owner: string
    readonly worker: string
  }): Promise<VmLease | null> {
    const { clock, ids } = this.#deps
    return await this.store.reattach({ ...input, leaseToken: ids.random(), now: clock.now() })
  }

  /** From now on requests are resolved with the newest configuration. */
  forgetConfiguration(): void {
    this.#configuration = null
  }

  async #configured(): Promise<PoolConfiguration> {
    const now = this.#deps.clock.monotonic()
    if (this.#configuration === null || now - this.#configuration.at > CONFIGURATION_AGE_MS) {
      this.#configuration = { value: await this.store.configuration(), at: now }
    }
    return this.#configuration.value
  }

  /**
   * Hands machines over, on every way on which a client gets them: what does not pass the check is thrown away, and the next is
   * granted to the same request, so that whoever repeats it gets that one, and never a second. It keeps its place in the queue.
   *
   * @param ways `again` is null where nobody knows what was wished for
   */
  async #checked(
    id: string,
    { first, again }: { readonly first: () => Promise<Acquired>; readonly again: (() => Promise<Acquired>) | null },
    { signal }: AwaitOptions,
  ): Promise<Acquired> {
    let acquired = await first()
    for (let attempt = 1; acquired.outcome === 'granted'; attempt += 1) {
      const handed = await checkHandOver(acquired.leases, this.#deps, signal)
      if ('leases' in handed) return { ...acquired, leases: handed.leases }
      await this.store.requeue({ id, now: this.#deps.clock.now() })
      if (again === null || attempt >= HAND_OVER_ATTEMPTS) throw new PoolHandOverError(attempt, handed.failed)
      acquired = await again()
    }
    return acquired
  }

  /** Asks once more for what a request of the queue asked for. */
  #asked(request: PoolRequest, options: AwaitOptions): () => Promise<Acquired> {
    const { clock, ids } = this.#deps
    return async () => {
      options.signal.throwIfAborted()
      const outcome = await this.store.acquire({ ...request, leaseToken: ids.random(), now: clock.now() })
      return await this.#settled(outcome, request, options)
    }
  }

  async #settled(
    outcome: AcquireOutcome,
    { id, owner, taskId }: { readonly id: string; readonly owner: string; readonly taskId?: string | null | undefined },
    options: AwaitOptions,
  ): Promise<Acquired> {
    switch (outcome.outcome) {
      case 'granted':
        refuseForeign(id, owner, outcome.leases[0]?.vm.boundToUser)
        return { outcome: 'granted', requestId: id, leases: outcome.leases }
      case 'waiting':
        refuseForeign(id, owner, outcome.request.owner)
        return await awaitGrant(this.#deps, outcome.request, { ...options, refusals: outcome.refusals })
      case 'unavailable':
        throw new PoolUnavailableError(owner, taskId ?? null, outcome.refusals)
      case 'ended':
        throw new PoolRequestRefusedError(id, outcome.request.status, outcome.request.reason)
    }
  }
}

function wishOf(input: AcquireInput, groups: readonly string[]): Omit<AcquireRequest, 'id' | 'leaseToken'> {
  return {
    groups,
    owner: input.owner,
    sandbox: input.sandbox ?? DEFAULT_SANDBOX,
    worker: input.worker,
    taskId: input.taskId ?? null,
    buildId: input.buildId ?? null,
    chroot: input.chroot ?? null,
    arch: input.arch ?? null,
    priority: input.priority ?? 0,
    weight: input.weight ?? 1,
    count: input.count ?? 1,
    preemptible: input.preemptible ?? false,
    reattach: input.reattach ?? false,
    leaseMs: input.leaseMs ?? null,
  }
}

/** The ids of requests are chosen by clients: knowing somebody else's must not give his machines away. */
function refuseForeign(id: string, owner: string, found: string | null | undefined): void {
  if (found !== owner) throw new PoolRequestRefusedError(id, 'taken', 'its id belongs to a request of somebody else')
}
