import { joined } from '../placements.ts'
import { queueScore } from '../rank.ts'
import type { PoolRequest } from '../request.ts'
import type { RequestCursor } from '../tables/pool-reads.ts'
import type { Line } from '../transitions/tables.ts'
import { SortedSet } from './sorted-set.ts'

/**
 * Requests, and who waits where: per group and owner in the order of the queue, and the same per sandbox.
 */
export class RequestQueue {
  readonly #requests = new Map<string, PoolRequest>()
  /** Owners that wait in a group, each with its line. */
  readonly #owners = new Map<string, Map<string, SortedSet>>()
  readonly #sandboxes = new Map<string, SortedSet>()
  readonly #servedAt = new Map<string, number>()
  readonly #waitingOf = new Map<string, number>()

  get anyWaiting(): boolean {
    return this.#waitingOf.size > 0
  }

  get(id: string): PoolRequest | null {
    return this.#requests.get(id) ?? null
  }

  save(request: PoolRequest, ageingMs: number): void {
    this.#leave(request.id)
    this.#requests.set(request.id, request)
    if (request.status === 'waiting') this.#enter(request, ageingMs)
    this.#forgetServed(request.owner)
  }

  drop(id: string): void {
    const request = this.#requests.get(id)
    this.#leave(id)
    this.#requests.delete(id)
    if (request !== undefined) this.#forgetServed(request.owner)
  }

  /** The first of each owner that waits in a group. */
  firsts(group: string): { request: PoolRequest; servedAt: number }[] {
    return [...(this.#owners.get(group) ?? [])].map(([owner, line]) => ({
      request: this.#requests.get(line.first()!.member)!,
      servedAt: this.#servedAt.get(owner) ?? 0,
    }))
  }

  line({ group, owner, sandbox }: Line, limit: number): PoolRequest[] {
    const line =
      sandbox === undefined ? this.#owners.get(group)?.get(owner) : this.#sandboxes.get(joined(group, owner, sandbox))
    return (line?.ascending(limit) ?? []).map((id) => this.#requests.get(id)!)
  }

  groups(): string[] {
    return [...this.#owners.keys()].sort()
  }

  countIn(group: string): number {
    return [...(this.#owners.get(group)?.values() ?? [])].reduce((sum, line) => sum + line.size, 0)
  }

  overdue(now: number, retentionMs: number): PoolRequest[] {
    const dueAt = (request: PoolRequest): number =>
      request.status === 'waiting' ? request.waitUntil : (request.endedAt ?? 0) + retentionMs
    return [...this.#requests.values()]
      .filter((request) => dueAt(request) <= now)
      .sort((a, b) => dueAt(a) - dueAt(b) || (a.id < b.id ? -1 : 1))
  }

  page(after: RequestCursor | null, limit: number): PoolRequest[] {
    return [...this.#requests.values()]
      .filter(({ status }) => status === 'waiting')
      .sort((a, b) => a.submittedAt - b.submittedAt || (a.id < b.id ? -1 : 1))
      .filter(
        ({ submittedAt, id }) =>
          after === null || submittedAt > after.submittedAt || (submittedAt === after.submittedAt && id > after.id),
      )
      .slice(0, limit)
  }

  /** Remembers when an owner was served, as long as it waits for more. */
  served(owner: string, at: number): void {
    if (this.#waitingOf.has(owner)) this.#servedAt.set(owner, at)
  }

  /** Places all anew, when waiting counts differently. */
  reorder(ageingMs: number): void {
    for (const request of this.#requests.values()) {
      this.#leave(request.id)
      if (request.status === 'waiting') this.#enter(request, ageingMs)
    }
  }

  #enter(request: PoolRequest, ageingMs: number): void {
    const { id, owner, sandbox } = request
    const score = queueScore(request, ageingMs)
    for (const group of request.groups) {
      const owners = this.#owners.get(group) ?? new Map<string, SortedSet>()
      this.#owners.set(group, owners)
      const own = owners.get(owner) ?? new SortedSet()
      owners.set(owner, own)
      own.set(id, score)
      const key = joined(group, owner, sandbox)
      const line = this.#sandboxes.get(key) ?? new SortedSet()
      this.#sandboxes.set(key, line)
      line.set(id, score)
    }
    this.#waitingOf.set(owner, (this.#waitingOf.get(owner) ?? 0) + 1)
  }

  #leave(id: string): void {
    const request = this.#requests.get(id)
    if (request?.status !== 'waiting') return
    const { owner, sandbox } = request
    for (const group of request.groups) {
      const owners = this.#owners.get(group)
      const own = owners?.get(owner)
      own?.delete(id)
      if (own?.size === 0) owners?.delete(owner)
      if (owners?.size === 0) this.#owners.delete(group)
      const key = joined(group, owner, sandbox)
      const line = this.#sandboxes.get(key)
      line?.delete(id)
      if (line?.size === 0) this.#sandboxes.delete(key)
    }
    const left = (this.#waitingOf.get(owner) ?? 1) - 1
    if (left === 0) this.#waitingOf.delete(owner)
    else this.#waitingOf.set(owner, left)
  }

  #forgetServed(owner: string): void {
    if (!this.#waitingOf.has(owner)) this.#servedAt.delete(owner)
  }
}
