import { CompiledQuery } from 'kysely'

import { parseJson, toJson } from '../../core/json.ts'
import type { Queries } from '../../store/index.ts'
import type { VmDescriptor } from '../descriptor.ts'
import type { HeldCounts } from '../limits.ts'
import { DEFAULT_POOL_RULES, type PoolConfiguration } from '../options.ts'
import type { Contender } from '../rank.ts'
import type { PoolRequest } from '../request.ts'
import type { VmState } from '../state.ts'
import type { FailureHold, OwnerUsage } from '../store.ts'
import type { PageQuery, PoolReads, RequestCursor } from '../tables/pool-reads.ts'
import type { Line, PoolTables, Settings } from '../transitions/tables.ts'
import { readRequestRow, readVmRow } from './rows.ts'
import * as statements from './statements.ts'

interface SettingsRow {
  readonly version: string
  readonly server_started_at: number
  readonly leader: string
  readonly fence: number
  readonly leader_until: number
  readonly waiting: number
}

interface ContenderRow {
  readonly id: string
  readonly owner: string
  readonly priority: number
  readonly weight: number
  readonly submitted_at: number
  readonly served_at: number
  readonly held: number
}

/** The rules as last read; a version never means two of them. */
export class KnownConfiguration {
  version = ''
  configuration: PoolConfiguration = { pool: DEFAULT_POOL_RULES, groups: [] }
}

type Parameters = readonly (string | number | null)[]

/** What can be read of the pool in a SQLite database, inside of a write or outside of it. */
export class SqliteReads implements PoolReads {
  readonly #queries: Queries
  readonly #known: KnownConfiguration

  constructor(queries: Queries, known: KnownConfiguration) {
    this.#queries = queries
    this.#known = known
  }

  async settings(): Promise<Settings> {
    const [row] = await this.rows<SettingsRow>(statements.SETTINGS, [])
    const waiting = row?.waiting ?? 0
    if (row !== undefined && row.version !== this.#known.version) await this.#learn(row.version)
    const { configuration } = row === undefined ? new KnownConfiguration() : this.#known
    return {
      configuration,
      serverStartedAt: row?.server_started_at ?? 0,
      leader: { id: row?.leader ?? '', fence: row?.fence ?? 0, until: row?.leader_until ?? 0 },
      anyWaiting: waiting === 1,
    }
  }

  async vm(name: string): Promise<VmDescriptor | null> {
    return (await this.#vms(statements.VM, [name]))[0] ?? null
  }

  async vms(names: readonly string[]): Promise<VmDescriptor[]> {
    return await this.#vms(statements.VMS, [toJson(names)])
  }

  async byRequest(requestId: string): Promise<VmDescriptor[]> {
    return await this.#vms(statements.BY_REQUEST, [requestId])
  }

  async byTask(taskId: string): Promise<VmDescriptor[]> {
    return await this.#vms(statements.BY_TASK, [taskId])
  }

  async byIp(ip: string): Promise<VmDescriptor[]> {
    return await this.#vms(statements.BY_IP, [ip])
  }

  async free(group: string, checkedAfter: number, limit: number): Promise<VmDescriptor[]> {
    return await this.#vms(statements.FREE, [group, checkedAfter, limit])
  }

  async idle({ group, owner, sandbox }: Required<Line>, checkedAfter: number, limit: number): Promise<VmDescriptor[]> {
    return await this.#vms(statements.IDLE, [group, owner, sandbox, checkedAfter, limit])
  }

  async evictable(group: string, owner: string): Promise<VmDescriptor | null> {
    return (await this.#vms(statements.EVICTABLE, [group, owner]))[0] ?? null
  }

  async preemptible(group: string, below: number, limit: number): Promise<VmDescriptor[]> {
    return await this.#vms(statements.PREEMPTIBLE, [group, below, limit])
  }

  async page({ group, states, after, limit }: PageQuery): Promise<VmDescriptor[]> {
    if (states === null) return await this.#vms(statements.PAGE, [after ?? '', group, group, limit])
    return await this.#vms(statements.PAGE_STATES, [toJson(states), after ?? '', group, group, limit])
  }

  async after(name: string, limit: number): Promise<VmDescriptor[]> {
    return await this.#vms(statements.NAMES_AFTER, [name, limit])
  }

  async due(now: number, limit: number): Promise<VmDescriptor[]> {
    return await this.#vms(statements.DUE, [now, limit])
  }

  async nextDeadline(): Promise<number | null> {
    const [row] = await this.rows<{ at: number | null }>(statements.NEXT_DUE, [])
    return row?.at ?? null
  }

  async held(owner: string, sandbox: string, arch: string | null): Promise<HeldCounts> {
    return {
      byUser: await this.#count(statements.COUNT_HELD, [owner]),
      bySandbox: await this.#count(statements.COUNT_HELD_SANDBOX, [owner, sandbox]),
      byArch: arch === null ? 0 : await this.#count(statements.COUNT_HELD_ARCH, [arch]),
    }
  }

  async bound(group: string, owner: string, sandbox: string): ReturnType<PoolTables['bound']> {
    const [row] = await this.rows<{ user: number; sandbox: number; leaving: number }>(statements.COUNT_BOUND, [
      sandbox,
      group,
      owner,
    ])
    return row ?? { user: 0, sandbox: 0, leaving: 0 }
  }

  async usage(owner: string): Promise<OwnerUsage> {
    const { configuration } = await this.settings()
    const groups = toJson(configuration.groups.map(({ id }) => id))
    const rows = await this.rows<{ grp: string; n: number }>(statements.COUNT_BOUND_BY_GROUP, [groups, owner])
    const bound = Object.fromEntries(rows.map(({ grp, n }) => [grp, n]))
    return { owner, held: await this.#count(statements.COUNT_HELD, [owner]), bound }
  }

  async countStates(group: string, states: readonly VmState[]): Promise<number> {
    return await this.#count(statements.COUNT_STATES, [group, toJson(states)])
  }

  async stateCounts(): Promise<Map<string, Partial<Record<VmState, number>>>> {
    const counts = new Map<string, Partial<Record<VmState, number>>>()
    const rows = await this.rows<{ grp: string; state: VmState; n: number }>(statements.COUNT_ALL_STATES, [])
    for (const { grp, state, n } of rows) counts.set(grp, { ...counts.get(grp), [state]: n })
    return counts
  }

  async countFree(group: string, checkedAfter: number): Promise<number> {
    return await this.#count(statements.COUNT_FREE, [group, Math.max(checkedAfter, -1)])
  }

  async holdsOf(owner: string): Promise<number> {
    return await this.#count(statements.COUNT_HOLDS, [owner])
  }

  async info(group: string, key: string): Promise<string | null> {
    const [row] = await this.rows<{ value: string }>(statements.INFO, [group, key])
    return row?.value ?? null
  }

  async request(id: string): Promise<PoolRequest | null> {
    return (await this.#requests(statements.REQUEST, [id]))[0] ?? null
  }

  async contenders(group: string): Promise<Contender[]> {
    const rows = await this.rows<ContenderRow>(statements.CONTENDERS, [group])
    return rows.map(({ id, owner, priority, weight, submitted_at, served_at, held }) => {
      return { owner, requestId: id, priority, weight, submittedAt: submitted_at, servedAt: served_at, held }
    })
  }

  async waiting({ group, owner, sandbox }: Line, limit: number): Promise<PoolRequest[]> {
    if (sandbox === undefined) return await this.#requests(statements.WAITING, [group, owner, limit])
    return await this.#requests(statements.WAITING_SANDBOX, [group, owner, sandbox, limit])
  }

  async waitingGroups(): Promise<string[]> {
    return (await this.rows<{ grp: string }>(statements.WAITING_GROUPS, [])).map(({ grp }) => grp)
  }

  async countWaiting(group: string): Promise<number> {
    return await this.#count(statements.COUNT_WAITING, [group])
  }

  async overdueRequests(now: number, retentionMs: number, limit: number): Promise<PoolRequest[]> {
    return await this.#requests(statements.OVERDUE, [now, retentionMs, limit])
  }

  async countOverdueRequests(now: number, retentionMs: number): Promise<number> {
    return await this.#count(statements.COUNT_OVERDUE, [now, retentionMs])
  }

  async requestPage({ after, limit }: { after: RequestCursor | null; limit: number }): Promise<PoolRequest[]> {
    return await this.#requests(statements.REQUEST_PAGE, [after?.submittedAt ?? -1, after?.id ?? '', limit])
  }

  async allWaiting(): Promise<PoolRequest[]> {
    return await this.#requests(statements.ALL_WAITING, [])
  }

  async failureHolds(): Promise<FailureHold[]> {
    const rows = await this.rows<{ rule: string }>(statements.FAILURE_HOLDS, [])
    return rows.map(({ rule }) => parseJson(rule, 'An order to hold a machine') as unknown as FailureHold)
  }

  async rows<Row>(statement: string, parameters: Parameters): Promise<Row[]> {
    return (await this.#queries.executeQuery<Row>(CompiledQuery.raw(statement, [...parameters]))).rows
  }

  async #learn(version: string): Promise<void> {
    const [row] = await this.rows<{ configuration: string }>(statements.CONFIGURATION, [version])
    if (row === undefined) return
    this.#known.configuration = parseJson(row.configuration, 'The rules of the pool') as unknown as PoolConfiguration
    this.#known.version = version
  }

  async #vms(statement: string, parameters: Parameters): Promise<VmDescriptor[]> {
    return (await this.rows<{ descriptor: string }>(statement, parameters)).map(readVmRow)
  }

  async #requests(statement: string, parameters: Parameters): Promise<PoolRequest[]> {
    return (await this.rows<{ request: string }>(statement, parameters)).map(readRequestRow)
  }

  async #count(statement: string, parameters: Parameters): Promise<number> {
    return (await this.rows<{ n: number }>(statement, parameters))[0]?.n ?? 0
  }
}
