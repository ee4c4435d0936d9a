import type { Ids } from '../../core/ids.ts'
import { toJson } from '../../core/json.ts'
import type { Queries } from '../../store/index.ts'
import { toEvent, type PoolChange } from '../change.ts'
import type { VmDescriptor } from '../descriptor.ts'
import { DEFAULT_GROUP_RULES, type GroupRules } from '../options.ts'
import { queueScore } from '../rank.ts'
import type { PoolRequest } from '../request.ts'
import type { FailureHold } from '../store.ts'
import type { PoolTables, Settings } from '../transitions/tables.ts'
import { vmRow } from './rows.ts'
import { SqliteReads, type KnownConfiguration } from './sqlite-reads.ts'
import * as statements from './statements.ts'

/** The pool's tables inside of one write, for all transitions that share it. */
export class SqliteTables extends SqliteReads implements PoolTables {
  readonly #ids: Ids
  readonly #told: PoolChange[] = []
  /** Nobody else writes meanwhile, so what was read once holds until this write changes it. */
  #settings: Settings | undefined
  /** How often something was written: a transition that fails must not have. */
  writes = 0

  constructor(queries: Queries, known: KnownConfiguration, ids: Ids) {
    super(queries, known)
    this.#ids = ids
  }

  override async settings(): Promise<Settings> {
    this.#settings ??= await super.settings()
    return this.#settings
  }

  async saveSettings({ configuration, serverStartedAt, leader }: Omit<Settings, 'anyWaiting'>): Promise<void> {
    const before = await this.settings()
    const { id, fence, until } = leader
    const text = toJson(configuration)
    await this.#write(statements.SAVE_SETTINGS, [this.#ids.random(), text, serverStartedAt, id, fence, until])
    this.#settings = { configuration, serverStartedAt, leader, anyWaiting: before.anyWaiting }
    if (configuration.pool.ageingMs !== before.configuration.pool.ageingMs) await this.#queueAnew()
  }

  async save(before: VmDescriptor | null, after: VmDescriptor): Promise<void> {
    const { serverStartedAt } = await this.settings()
    const row = vmRow(after, await this.#rules(after.group), serverStartedAt)
    await this.#write(before === null ? statements.INSERT_VM : statements.UPDATE_VM, [...row, after.name])
  }

  async drop(vm: VmDescriptor): Promise<void> {
    await this.#write(statements.DELETE_VM, [vm.name])
  }

  async setInfo(group: string, key: string, value: string): Promise<void> {
    await this.#write(statements.SAVE_INFO, [group, key, value])
  }

  async saveRequest(before: PoolRequest | null, after: PoolRequest): Promise<void> {
    const { id, owner, priority, weight, submittedAt, waitUntil, endedAt } = after
    const waits = after.status === 'waiting'
    if (before !== null) await this.#write(statements.DEQUEUE, [id])
    const overAt = waits ? waitUntil : (endedAt ?? 0)
    const row = [id, waits ? 1 : 0, owner, priority, weight, submittedAt, overAt, toJson(after)]
    await this.#write(statements.SAVE_REQUEST, row)
    if (waits) await this.#enqueue(after)
    else await this.#write(statements.FORGET_SERVED, [owner])
    this.#settings = undefined
  }

  async dropRequest({ id, owner }: PoolRequest): Promise<void> {
    await this.#write(statements.DEQUEUE, [id])
    await this.#write(statements.DELETE_REQUEST, [id])
    await this.#write(statements.FORGET_SERVED, [owner])
    this.#settings = undefined
  }

  async setServed(owner: string, at: number): Promise<void> {
    await this.#write(statements.SET_SERVED, [owner, at])
  }

  async saveFailureHold(rule: FailureHold): Promise<void> {
    await this.#write(statements.SAVE_FAILURE_HOLD, [rule.id, toJson(rule)])
  }

  async dropFailureHold(id: string): Promise<boolean> {
    return (await this.#write(statements.DELETE_FAILURE_HOLD, [id])).length > 0
  }

  async tell(changes: readonly PoolChange[]): Promise<void> {
    this.writes += 1
    this.#told.push(...changes)
  }

  /** Puts the events of all transitions into the outbox. To be called once, at the end. */
  async flush(): Promise<void> {
    if (this.#told.length === 0) return
    const rows = this.#told.map((change) => [change.id, toJson(toEvent(change)), change.at])
    await this.#write(statements.TELL, [toJson(rows)])
  }

  async #enqueue(request: PoolRequest): Promise<void> {
    const { configuration } = await this.settings()
    const { id, owner, sandbox, groups } = request
    const score = queueScore(request, configuration.pool.ageingMs)
    await this.#write(statements.ENQUEUE, [owner, sandbox, score, id, toJson(groups)])
  }

  async #queueAnew(): Promise<void> {
    await this.#write(statements.CLEAR_QUEUE, [])
    for (const request of await this.allWaiting()) await this.#enqueue(request)
  }

  async #rules(group: string): Promise<GroupRules> {
    const { configuration } = await this.settings()
    return configuration.groups.find(({ id }) => id === group) ?? { ...DEFAULT_GROUP_RULES, id: group }
  }

  async #write<Row>(statement: string, parameters: readonly (string | number | null)[]): Promise<Row[]> {
    this.writes += 1
    return await this.rows<Row>(statement, parameters)
  }
}
