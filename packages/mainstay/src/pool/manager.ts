import type { Clock } from '../core/clock.ts'
import type { Ids } from '../core/ids.ts'
import { DEFAULT_SANDBOX, groupsFor, type AcquireInput } from './acquire-input.ts'
import { awaitGrant, findGrant, type Acquired, type AwaitOptions } from './await-grant.ts'
import { VmLeaseLostError, VmNotFoundError } from './errors.ts'
import { PoolHandOverError, PoolRequestRefusedError, PoolUnavailableError } from './manager-errors.ts'
import type { PoolConfiguration } from './options.ts'
import type { AcquireRequest } from './request.ts'
import type { AcquireOutcome, Heartbeat, PoolStore, VmLease } from './store.ts'
import type { CheckOutcome } from './check/index.ts'
import type { VmDescriptor } from './descriptor.ts'
import type { Waiters } from './waiters.ts'

export interface PoolManagerDeps {
  readonly store: PoolStore
  readonly clock: Clock
  readonly ids: Ids
  readonly waiters: Waiters
  /** Checks a machine before its holder gets it; null where its group wants no such check. */
  readonly handOver?: (vm: VmDescriptor, signal: AbortSignal) => Promise<CheckOutcome | null>
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
    const waitUntil = input.waitMs === undefined ? null : clock.now() + input.waitMs
    const groups = groupsFor(input, await this.#configured())
    const wish = wishOf(input, groups)
    const id = input.requestId ?? ids.random()
    for (let attempt = 1; ; attempt += 1) {
      const outcome = await this.store.acquire({ ...wish, waitUntil, id, leaseToken: ids.random(), now: clock.now() })
      const acquired = await this.#settled(id, input, outcome, options)
      if (acquired.outcome === 'waiting') return acquired
      const failed = await this.#handOver(acquired.leases, options.signal)
      if (failed === null) return acquired
      // The next machine is granted to the same request: whoever repeats it gets that one, and never a second.
      await this.store.forgetGrant({ id, now: clock.now() })
      if (attempt >= HAND_OVER_ATTEMPTS) throw new PoolHandOverError(attempt, failed)
    }
  }

  /**
   * Waits for a request that is in the queue already.
   *
   * @throws PoolRequestRefusedError when it ended without a machine or is unknown, or the signal's reason
   */
  async await(id: string, options: AwaitOptions): Promise<Acquired> {
    const granted = await findGrant(this.store, id)
    if (granted !== null) return granted
    const request = await this.store.request(id)
    if (request === null) throw new PoolRequestRefusedError(id, 'unknown', 'it was never queued, or ended long ago')
    return await awaitGrant(this.#deps, request, options)
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

  async #settled(id: string, input: AcquireInput, outcome: AcquireOutcome, options: AwaitOptions): Promise<Acquired> {
    switch (outcome.outcome) {
      case 'granted':
        refuseForeign(id, input.owner, outcome.leases[0]?.vm.boundToUser)
        return { outcome: 'granted', requestId: id, leases: outcome.leases }
      case 'waiting':
        refuseForeign(id, input.owner, outcome.request.owner)
        return await awaitGrant(this.#deps, outcome.request, { ...options, refusals: outcome.refusals })
      case 'unavailable':
        throw new PoolUnavailableError(input.owner, input.taskId ?? null, outcome.refusals)
      case 'ended':
        throw new PoolRequestRefusedError(id, outcome.request.status, outcome.request.reason)
    }
  }

  /** @returns why machines were thrown away, null when all may be handed over */
  async #handOver(leases: readonly VmLease[], signal: AbortSignal): Promise<string | null> {
    const { handOver } = this.#deps
    if (handOver === undefined) return null
    const results = await Promise.all(
      leases.map(async ({ vm, token }) => {
        const result = await handOver(vm, signal)
        return result === null || result.passed ? null : { name: vm.name, token, reason: result.reason }
      }),
    )
    const bad = results.filter((result) => result !== null)
    for (const { name, token, reason } of bad) {
      const why = `it did not pass the check at the hand-over: ${reason}`
      await unlessLost(this.giveUp({ name, token, reason: why }))
    }
    if (bad.length === 0) return null
    // The whole request is asked again, so what was good of a gang goes back.
    const good = leases.filter(({ vm }) => !bad.some(({ name }) => name === vm.name))
    for (const { vm, token } of good) await unlessLost(this.release({ name: vm.name, token }))
    return bad[0]!.reason
  }
}

/** Somebody who repeated the request meanwhile may have found the same out, and been faster. */
async function unlessLost(giving: Promise<unknown>): Promise<void> {
  try {
    await giving
  } catch (error) {
    if (!(error instanceof VmLeaseLostError) && !(error instanceof VmNotFoundError)) throw error
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
