import type { VmDescriptor } from '../descriptor.ts'
import type { HeldCounts } from '../limits.ts'
import { DEFAULT_GROUP_RULES, DEFAULT_POOL_RULES, type GroupRules } from '../options.ts'
import { countKey, indexKey, joined, placements } from '../placements.ts'
import type { Contender } from '../rank.ts'
import type { PoolRequest } from '../request.ts'
import type { VmState } from '../state.ts'
import type { FailureHold, OwnerUsage } from '../store.ts'
import type { PageQuery, PoolReads, RequestCursor } from '../tables/pool-reads.ts'
import type { Line, PoolTables, Settings } from '../transitions/tables.ts'
import { Indexes } from './indexes.ts'
import { RequestQueue } from './request-queue.ts'

const EMPTY_SETTINGS: Omit<Settings, 'anyWaiting'> = {
  configuration: { pool: DEFAULT_POOL_RULES, groups: [] },
  serverStartedAt: 0,
  leader: { id: '', fence: 0, until: 0 },
}

/** The pool in the memory of this process: the model that the other drivers are compared with. */
export class MemoryTables implements PoolTables, PoolReads {
  readonly #vms = new Map<string, VmDescriptor>()
  readonly #indexes = new Indexes()
  readonly #queue = new RequestQueue()
  readonly #failureHolds = new Map<string, FailureHold>()
  readonly #info = new Map<string, string>()
  #settings = EMPTY_SETTINGS

  async settings(): Promise<Settings> {
    return { ...this.#settings, anyWaiting: this.#queue.anyWaiting }
  }

  async saveSettings(settings: Omit<Settings, 'anyWaiting'>): Promise<void> {
    const ageingMs = settings.configuration.pool.ageingMs
    if (ageingMs !== this.#settings.configuration.pool.ageingMs) this.#queue.reorder(ageingMs)
    this.#settings = settings
  }

  async vm(name: string): Promise<VmDescriptor | null> {
    return this.#vms.get(name) ?? null
  }

  async vms(names: readonly string[]): Promise<VmDescriptor[]> {
    return names.flatMap((name) => this.#vms.get(name) ?? [])
  }

  async save(before: VmDescriptor | null, after: VmDescriptor): Promise<void> {
    const known = this.#vms.get(after.name)
    if (known !== undefined) this.#displace(known)
    else if (before !== null) throw new Error(`The machine ${after.name} was changed after it had been dropped.`)
    this.#vms.set(after.name, after)
    this.#place(this.#indexes, after)
  }

  async drop(vm: VmDescriptor): Promise<void> {
    const known = this.#vms.get(vm.name)
    if (known !== undefined) this.#displace(known)
    this.#vms.delete(vm.name)
  }

  async byRequest(requestId: string): Promise<VmDescriptor[]> {
    return await this.#members(indexKey.request(requestId))
  }

  async byTask(taskId: string): Promise<VmDescriptor[]> {
    return await this.#members(indexKey.task(taskId))
  }

  async byIp(ip: string): Promise<VmDescriptor[]> {
    return await this.#members(indexKey.ip(ip))
  }

  async free(group: string, checkedAfter: number, limit: number): Promise<VmDescriptor[]> {
    return await this.vms(this.#indexes.set(indexKey.free(group)).descending(checkedAfter, limit))
  }

  async idle(line: Required<Line>, checkedAfter: number, limit: number): Promise<VmDescriptor[]> {
    const index = indexKey.idle(line.group, line.owner, line.sandbox)
    return await this.vms(this.#indexes.set(index).descending(checkedAfter, limit))
  }

  async evictable(group: string, owner: string): Promise<VmDescriptor | null> {
    const first = this.#indexes.set(indexKey.evict(group, owner)).first()
    return first === undefined ? null : await this.vm(first.member)
  }

  async preemptible(group: string, below: number, limit: number): Promise<VmDescriptor[]> {
    return await this.vms(this.#indexes.set(indexKey.preempt(group)).ascending(limit, below - 1))
  }

  async held(owner: string, sandbox: string, arch: string | null): Promise<HeldCounts> {
    return {
      byUser: this.#held(owner),
      bySandbox: this.#indexes.count({ table: countKey.heldBySandbox, field: joined(owner, sandbox) }),
      byArch: arch === null ? 0 : this.#indexes.count({ table: countKey.heldByArch, field: arch }),
    }
  }

  async bound(group: string, owner: string, sandbox: string): ReturnType<PoolTables['bound']> {
    return {
      user: this.#indexes.count({ table: countKey.boundToUser(group), field: owner }),
      sandbox: this.#indexes.count({ table: countKey.boundToSandbox(group), field: joined(owner, sandbox) }),
      leaving: this.#indexes.count({ table: countKey.leaving(group), field: owner }),
    }
  }

  async countStates(group: string, states: readonly VmState[]): Promise<number> {
    return states.reduce((sum, state) => sum + this.#indexes.set(indexKey.state(group, state)).size, 0)
  }

  async stateCounts(): Promise<Map<string, Partial<Record<VmState, number>>>> {
    const counts = new Map<string, Partial<Record<VmState, number>>>()
    for (const { group, state } of this.#vms.values()) {
      const states = counts.get(group) ?? {}
      counts.set(group, states)
      states[state] = (states[state] ?? 0) + 1
    }
    return counts
  }

  async holdsOf(owner: string): Promise<number> {
    return this.#indexes.count({ table: countKey.holds, field: owner })
  }

  async info(group: string, key: string): Promise<string | null> {
    return this.#info.get(joined(group, key)) ?? null
  }

  async setInfo(group: string, key: string, value: string): Promise<void> {
    this.#info.set(joined(group, key), value)
  }

  async page({ group, states, after, limit }: PageQuery): Promise<VmDescriptor[]> {
    const found: VmDescriptor[] = []
    const names = this.#indexes.set(indexKey.names)
    for (const name of names.after(after ?? '', Number.POSITIVE_INFINITY)) {
      const vm = this.#vms.get(name)!
      if (group !== null && vm.group !== group) continue
      if (states !== null && !states.includes(vm.state)) continue
      if (found.push(vm) >= limit) break
    }
    return found
  }

  async due(now: number, limit: number): Promise<VmDescriptor[]> {
    return await this.vms(this.#indexes.set(indexKey.due).ascending(limit, now))
  }

  async nextDeadline(): Promise<number | null> {
    return this.#indexes.set(indexKey.due).first()?.score ?? null
  }

  async countFree(group: string, checkedAfter: number): Promise<number> {
    return this.#indexes.set(indexKey.free(group)).descending(checkedAfter, Number.POSITIVE_INFINITY).length
  }

  async request(id: string): Promise<PoolRequest | null> {
    return this.#queue.get(id)
  }

  async saveRequest(_before: PoolRequest | null, after: PoolRequest): Promise<void> {
    this.#queue.save(after, this.#settings.configuration.pool.ageingMs)
  }

  async dropRequest(request: PoolRequest): Promise<void> {
    this.#queue.drop(request.id)
  }

  async contenders(group: string): Promise<Contender[]> {
    return this.#queue.firsts(group).map(({ request, servedAt }) => ({
      owner: request.owner,
      requestId: request.id,
      priority: request.priority,
      weight: request.weight,
      submittedAt: request.submittedAt,
      servedAt,
      held: this.#held(request.owner),
    }))
  }

  async waiting(line: Line, limit: number): Promise<PoolRequest[]> {
    return this.#queue.line(line, limit)
  }

  async waitingGroups(): Promise<string[]> {
    return this.#queue.groups()
  }

  async countWaiting(group: string): Promise<number> {
    return this.#queue.countIn(group)
  }

  async usage(owner: string): Promise<OwnerUsage> {
    const groups = this.#settings.configuration.groups.map(({ id }) => id)
    const bound = groups.map((group) => [
      group,
      this.#indexes.count({ table: countKey.boundToUser(group), field: owner }),
    ])
    return { owner, held: this.#held(owner), bound: Object.fromEntries(bound.filter(([, count]) => count !== 0)) }
  }

  async overdueRequests(now: number, retentionMs: number, limit: number): Promise<PoolRequest[]> {
    return this.#queue.overdue(now, retentionMs).slice(0, limit)
  }

  async countOverdueRequests(now: number, retentionMs: number): Promise<number> {
    return this.#queue.overdue(now, retentionMs).length
  }

  async requestPage(query: { after: RequestCursor | null; limit: number }): Promise<PoolRequest[]> {
    return this.#queue.page(query.after, query.limit)
  }

  async setServed(owner: string, at: number): Promise<void> {
    this.#queue.served(owner, at)
  }

  async failureHolds(): Promise<FailureHold[]> {
    return [...this.#failureHolds.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
  }

  async saveFailureHold(rule: FailureHold): Promise<void> {
    this.#failureHolds.set(rule.id, rule)
  }

  async dropFailureHold(id: string): Promise<boolean> {
    return this.#failureHolds.delete(id)
  }

  async tell(): Promise<void> {}

  /** Places every machine anew: deadlines depend on the rules. */
  async reindex(after: string | null, limit: number): Promise<string | null> {
    const names = this.#indexes.set(indexKey.names).after(after ?? '', limit)
    for (const vm of await this.vms(names)) await this.save(vm, vm)
    return names.at(-1) ?? null
  }

  async verify(): Promise<string[]> {
    const recount = new Indexes()
    for (const vm of this.#vms.values()) this.#place(recount, vm)
    return differences(this.#indexes.dump(), recount.dump())
  }

  #held(owner: string): number {
    return this.#indexes.count({ table: countKey.heldByUser, field: owner })
  }

  async #members(index: string): Promise<VmDescriptor[]> {
    return await this.vms(this.#indexes.set(index).ascending(Number.POSITIVE_INFINITY))
  }

  /** Where each machine was placed, by rules that may have changed since. */
  readonly #placed = new Map<string, ReturnType<typeof placements>>()

  #place(indexes: Indexes, vm: VmDescriptor): void {
    const found = placements(vm, this.#rules(vm.group), this.#settings.serverStartedAt)
    if (indexes === this.#indexes) this.#placed.set(vm.name, found)
    for (const placement of found.indexes) indexes.place(vm.name, placement)
    for (const count of found.counts) indexes.add(count, 1)
  }

  #displace(vm: VmDescriptor): void {
    const found = this.#placed.get(vm.name)
    this.#placed.delete(vm.name)
    for (const { index } of found?.indexes ?? []) this.#indexes.displace(vm.name, index)
    for (const count of found?.counts ?? []) this.#indexes.add(count, -1)
  }

  #rules(group: string): GroupRules {
    const rules = this.#settings.configuration.groups.find(({ id }) => id === group)
    return rules ?? { ...DEFAULT_GROUP_RULES, id: group }
  }
}

/** Lines that only one of two lists has. */
export function differences(kept: readonly string[], recounted: readonly string[]): string[] {
  const wanted = new Set(recounted)
  const found = new Set(kept)
  return [
    ...kept.filter((line) => !wanted.has(line)).map((line) => `too much: ${line}`),
    ...recounted.filter((line) => !found.has(line)).map((line) => `missing: ${line}`),
  ]
}
