import { expect, type TestContext } from 'vitest'

import { toJson } from '../../core/json.ts'
import { groupRules, poolRules, type GroupRules, type PoolRules } from '../options.ts'
import type { AcquireRequest } from '../request.ts'
import type { AcquireOutcome, PoolStore, VmLease } from '../store.ts'
import type { VmState } from '../state.ts'

/** A fresh, empty database for one test. */
export interface PoolPlace extends AsyncDisposable {
  /** Opens the pool once more, as another process would. Closed by the test. */
  open(): Promise<PoolStore>
}

/** Makes a database; may skip the test when this machine lacks what it takes. */
export type PoolFactory = (ctx: TestContext) => Promise<PoolPlace>

/** The longest that one test may take, on a slow and busy machine. */
export const PATIENCE_MS = 60_000

export const START = Date.UTC(2026, 0, 1)

type Want = Partial<AcquireRequest>

/** An open pool with a time that the test moves, and short words for what tests do again and again. */
export class Lab {
  readonly store: PoolStore
  readonly place: PoolPlace
  now = START
  #names = 0
  #requests = 0

  constructor(store: PoolStore, place: PoolPlace) {
    this.store = store
    this.place = place
  }

  async configure(
    groups: readonly (Partial<GroupRules> & { id: string })[],
    pool: Partial<PoolRules> = {},
  ): Promise<void> {
    await this.store.configure({ pool: poolRules(pool), groups: groups.map(groupRules) }, { fence: null })
  }

  /** Machines that came up and passed their first check. @returns their names */
  async ready(count: number, group = 'g'): Promise<string[]> {
    const names = Array.from({ length: count }, () => `vm-${String((this.#names += 1)).padStart(5, '0')}`)
    await Promise.all(names.map((name) => this.add(name, group)))
    await this.check(names)
    return names
  }

  async add(name: string, group = 'g'): Promise<void> {
    await this.store.addVm({ name, group, ip: `10.0.0.${name}`, now: this.now, fence: null })
  }

  async check(names: readonly string[]): Promise<void> {
    const { now } = this
    const nextCheckAt = now + 120_000
    await this.store.startChecks({ checks: names.map((name) => ({ name, nextCheckAt })), now, fence: null })
    await Promise.all(names.map((name) => this.store.checkPassed({ name, startedAt: now, now })))
  }

  request(want: Want = {}): AcquireRequest & { now: number } {
    const id = want.id ?? `request-${String((this.#requests += 1)).padStart(5, '0')}`
    const base = { id, groups: ['g'], owner: 'bob', sandbox: 's', worker: 'w', leaseToken: `token of ${id}` }
    return { ...base, ...want, now: this.now }
  }

  async acquire(want: Want = {}): Promise<AcquireOutcome> {
    return await this.store.acquire(this.request(want))
  }

  /** Acquires what must be there. */
  async take(want: Want = {}): Promise<VmLease> {
    const [lease] = await this.takeAll(want)
    return lease!
  }

  async takeAll(want: Want = {}): Promise<readonly VmLease[]> {
    const outcome = await this.acquire(want)
    if (outcome.outcome !== 'granted') throw new Error(`It was not granted: ${toJson(outcome)}`)
    return outcome.leases
  }

  /** Asks for what is not there, and waits in the queue. @returns the request's id */
  async wait(want: Want = {}): Promise<string> {
    const request = this.request({ waitUntil: this.now + 3_600_000, ...want })
    const outcome = await this.store.acquire(request)
    if (outcome.outcome !== 'waiting') throw new Error(`It does not wait: ${toJson(outcome)}`)
    return request.id
  }

  async release(lease: VmLease, failed = false): Promise<VmState> {
    const { vm } = await this.store.release({ name: lease.vm.name, token: lease.token, failed, now: this.now })
    return vm.state
  }

  async state(name: string): Promise<VmState | null> {
    return (await this.store.get(name))?.state ?? null
  }

  /** Names of the machines that a request holds. */
  async holds(requestId: string): Promise<string[]> {
    return (await this.store.leases(requestId)).map(({ vm }) => vm.name)
  }

  /** How many requests of each owner wait. */
  async waiting(): Promise<Record<string, number>> {
    const { requests } = await this.store.requests({ limit: 10_000 })
    return Object.fromEntries(
      [...Map.groupBy(requests, ({ owner }) => owner)].map(([owner, each]) => [owner, each.length]),
    )
  }
}

/** The body of a test on an empty pool with the group `g`; the indexes must be right at its end. */
export function inLab(
  factory: PoolFactory,
  run: (lab: Lab) => Promise<void>,
  group: Partial<GroupRules> = {},
): (ctx: TestContext) => Promise<void> {
  return async (ctx) => {
    await using place = await factory(ctx)
    await using store = await place.open()
    const lab = new Lab(store, place)
    await lab.configure([{ id: 'g', maxTotal: 0, maxPerUser: 0, ...group }])
    await run(lab)
    await expect(store.verify()).resolves.toEqual([])
  }
}
