import type { Ids } from '../../core/ids.ts'
import { ChangeHub } from '../change-hub.ts'
import type { PoolNews } from '../change.ts'
import { dueKinds } from '../deadlines.ts'
import type { VmDescriptor } from '../descriptor.ts'
import { DEFAULT_GROUP_RULES, type GroupRules, type PoolConfiguration } from '../options.ts'
import type { AcquireRequest, PoolRequest } from '../request.ts'
import { checkSatisfiable } from '../satisfiable.ts'
import { LAST_SPAWN, parseSeconds } from '../seconds.ts'
import { VM_STATES, type VmState } from '../state.ts'
import type * as port from '../store.ts'
import { acquire } from '../transitions/acquire.ts'
import * as checks from '../transitions/check.ts'
import { leaseOf } from '../transitions/grant.ts'
import * as holds from '../transitions/hold.ts'
import * as leading from '../transitions/lead.ts'
import { checkedAfterFor } from '../transitions/pick.ts'
import { preempt } from '../transitions/preempt.ts'
import * as queue from '../transitions/queue.ts'
import * as spawns from '../transitions/spawn.ts'
import * as standby from '../transitions/standby.ts'
import type { PoolTables, Settings } from '../transitions/tables.ts'
import * as ends from '../transitions/terminate.ts'
import { beginTurn, type Turn } from '../transitions/turn.ts'
import * as uses from '../transitions/use.ts'
import type { PoolReads, RequestCursor } from './pool-reads.ts'

/** A database that runs the transitions in this process. */
export interface TablePlace extends AsyncDisposable {
  readonly kind: port.PoolStore['kind']
  readonly ids: Ids
  /** Committed data only. */
  readonly reads: PoolReads
  /** Runs work as one atomic step; when it resolves, the change is kept. */
  transact<T>(work: (tables: PoolTables) => Promise<T>): Promise<T>
  /** Writes the indexes of some machines anew. @returns the last name, null at the end */
  reindex(after: string | null, limit: number): Promise<string | null>
  verify(): Promise<readonly string[]>
}

/** How many machines are indexed anew in one step. */
const REINDEX_PAGE = 500

/** The pool on tables: memory and SQLite. Each method is one transition of `transitions/`. */
export class TablePoolStore implements port.PoolStore {
  readonly kind: port.PoolStore['kind']
  readonly #place: TablePlace
  readonly #hub = new ChangeHub()

  constructor(place: TablePlace) {
    this.kind = place.kind
    this.#place = place
  }

  async configure(configuration: PoolConfiguration, by: port.ByMaster): Promise<void> {
    await this.#turn(0, (turn) => leading.configure(turn, configuration, by))
    await this.#reindexAll()
  }

  async configuration(): Promise<PoolConfiguration> {
    return (await this.#reads.settings()).configuration
  }

  async markServerStart(input: port.At & port.ByMaster): Promise<void> {
    await this.#turn(input.now, (turn) => leading.markServerStart(turn, input))
    await this.#reindexAll()
  }

  async serverStartedAt(): Promise<number | null> {
    return (await this.#reads.settings()).serverStartedAt || null
  }

  async requestSpawn(input: port.RequestSpawn): Promise<port.SpawnOutcome> {
    return await this.#turn(input.now, (turn) => spawns.requestSpawn(turn, input))
  }

  async building(input: port.Building): Promise<port.Changed> {
    return await this.#turn(input.now, (turn) => spawns.building(turn, input))
  }

  async spawned(input: port.Spawned): Promise<port.Changed> {
    return await this.#turn(input.now, (turn) => spawns.spawned(turn, input))
  }

  async spawnFailed(input: port.SpawnFailed): Promise<port.Changed> {
    return await this.#turn(input.now, (turn) => spawns.spawnFailed(turn, input))
  }

  async addVm(input: port.AddVm): Promise<port.Changed> {
    return await this.#turn(input.now, (turn) => spawns.addVm(turn, input))
  }

  async acquire(request: AcquireRequest & port.At): Promise<port.AcquireOutcome> {
    return await this.#turn(request.now, async (turn) => {
      checkSatisfiable(request, turn.settings.configuration)
      return await acquire(turn, request)
    })
  }

  async heartbeat(input: Parameters<port.PoolStore['heartbeat']>[0]): Promise<port.Heartbeat> {
    return await this.#turn(input.now, (turn) => uses.heartbeat(turn, input))
  }

  async release(input: port.Release): Promise<port.Changed & { readonly vm: VmDescriptor }> {
    return await this.#turn(input.now, (turn) => uses.release(turn, input))
  }

  async reattach(input: port.Reattach): Promise<(port.Changed & port.VmLease) | null> {
    const { lease, changes } = await this.#turn(input.now, async (turn) => ({
      lease: await uses.reattach(turn, input),
    }))
    return lease === null ? null : { ...lease, changes }
  }

  async reclaim(input: Parameters<port.PoolStore['reclaim']>[0]): Promise<port.Batch> {
    return await this.#turn(input.now, (turn) => uses.reclaim(turn, input))
  }

  async request(id: string): Promise<PoolRequest | null> {
    return await this.#reads.request(id)
  }

  async leases(requestId: string): Promise<readonly port.VmLease[]> {
    return (await this.#reads.byRequest(requestId)).map(leaseOf)
  }

  async requests(query: Parameters<port.PoolStore['requests']>[0]): ReturnType<port.PoolStore['requests']> {
    const requests = await this.#reads.requestPage({ after: requestCursor(query.cursor), limit: query.limit })
    const last = requests.length < query.limit ? undefined : requests.at(-1)
    return { requests, cursor: last === undefined ? null : `${last.submittedAt}:${last.id}` }
  }

  async cancel(input: Parameters<port.PoolStore['cancel']>[0]): Promise<port.Changed> {
    return await this.#turn(input.now, (turn) => queue.cancel(turn, input))
  }

  async reorder(input: Parameters<port.PoolStore['reorder']>[0]): Promise<port.Changed> {
    return await this.#turn(input.now, (turn) => queue.reorder(turn, input))
  }

  async expireRequests(input: Parameters<port.PoolStore['expireRequests']>[0]): Promise<port.Changed> {
    return await this.#turn(input.now, (turn) => queue.expireRequests(turn, input))
  }

  async serve(input: Parameters<port.PoolStore['serve']>[0]): Promise<port.Changed> {
    return await this.#turn(input.now, (turn) => queue.serve(turn, input))
  }

  async preempt(input: Parameters<port.PoolStore['preempt']>[0]): Promise<port.Changed> {
    return await this.#turn(input.now, (turn) => preempt(turn, input))
  }

  async startChecks(input: port.StartChecks): Promise<port.Batch> {
    return await this.#turn(input.now, (turn) => checks.startChecks(turn, input))
  }

  async checkPassed(result: port.CheckResult): Promise<port.Changed> {
    return await this.#turn(result.now, (turn) => checks.checkPassed(turn, result))
  }

  async checkFailed(result: Parameters<port.PoolStore['checkFailed']>[0]): Promise<port.Changed> {
    return await this.#turn(result.now, (turn) => checks.checkFailed(turn, result))
  }

  async checksGivenUp(input: Parameters<port.PoolStore['checksGivenUp']>[0]): Promise<port.Batch> {
    return await this.#turn(input.now, (turn) => checks.checksGivenUp(turn, input))
  }

  async checkNotLaunched(result: port.CheckResult): Promise<port.Changed> {
    return await this.#turn(result.now, (turn) => checks.checkNotLaunched(turn, result))
  }

  async recheck(input: Parameters<port.PoolStore['recheck']>[0]): Promise<port.Batch> {
    return await this.#turn(input.now, (turn) => checks.recheck(turn, input))
  }

  async resetDone(input: Parameters<port.PoolStore['resetDone']>[0]): Promise<port.Changed> {
    return await this.#turn(input.now, (turn) => standby.resetDone(turn, input))
  }

  async standBy(input: Parameters<port.PoolStore['standBy']>[0]): Promise<port.Changed> {
    return await this.#turn(input.now, (turn) => standby.standBy(turn, input))
  }

  async wake(input: Parameters<port.PoolStore['wake']>[0]): Promise<port.Changed> {
    return await this.#turn(input.now, (turn) => standby.wake(turn, input))
  }

  async hold(input: port.Hold): Promise<port.Changed> {
    return await this.#turn(input.now, (turn) => holds.hold(turn, input))
  }

  async unhold(input: Parameters<port.PoolStore['unhold']>[0]): Promise<port.Batch> {
    return await this.#turn(input.now, (turn) => holds.unhold(turn, input))
  }

  async holdOnFailure(rule: port.FailureHold): Promise<void> {
    await this.#turn(0, (turn) => turn.tables.saveFailureHold(rule))
  }

  async failureHolds(): Promise<readonly port.FailureHold[]> {
    return await this.#reads.failureHolds()
  }

  async dropFailureHold(id: string): Promise<boolean> {
    return await this.#place.transact((tables) => tables.dropFailureHold(id))
  }

  async drain(input: Parameters<port.PoolStore['drain']>[0]): Promise<port.Batch> {
    return await this.#turn(input.now, (turn) => holds.drain(turn, input))
  }

  async undrain(input: Parameters<port.PoolStore['undrain']>[0]): Promise<port.Batch> {
    return await this.#turn(input.now, (turn) => holds.undrain(turn, input))
  }

  async terminate(input: port.Terminate): Promise<port.Batch> {
    return await this.#turn(input.now, (turn) => ends.terminate(turn, input))
  }

  async terminationAsked(input: Parameters<port.PoolStore['terminationAsked']>[0]): Promise<port.Batch> {
    return await this.#turn(input.now, (turn) => ends.terminationAsked(turn, input))
  }

  async markStuck(input: Parameters<port.PoolStore['markStuck']>[0]): Promise<port.Changed> {
    return await this.#turn(input.now, (turn) => ends.markStuck(turn, input))
  }

  async remove(input: Parameters<port.PoolStore['remove']>[0]): Promise<port.Changed> {
    return await this.#turn(input.now, (turn) => ends.remove(turn, input))
  }

  async lost(input: Parameters<port.PoolStore['lost']>[0]): Promise<port.Changed> {
    return await this.#turn(input.now, (turn) => ends.lost(turn, input))
  }

  async postponeRetirement(input: Parameters<port.PoolStore['postponeRetirement']>[0]): Promise<port.Batch> {
    return await this.#turn(input.now, (turn) => leading.postponeRetirement(turn, input))
  }

  async due({ now, limit }: Parameters<port.PoolStore['due']>[0]): Promise<port.Due> {
    const settings = await this.#reads.settings()
    const found = await this.#reads.due(now, limit + 1)
    return {
      vms: found.slice(0, limit).map((vm) => ({ vm, kinds: dueNow(vm, settings, now) })),
      more: found.length > limit,
      requests: await this.#reads.countOverdueRequests(now, settings.configuration.pool.requestRetentionMs),
    }
  }

  async nextDue(): Promise<number | null> {
    return await this.#reads.nextDeadline()
  }

  async lead(input: Parameters<port.PoolStore['lead']>[0]): Promise<port.Leadership> {
    const { changes: _none, ...leadership } = await this.#turn(input.now, (turn) => leading.lead(turn, input))
    return leadership
  }

  async resign(input: Parameters<port.PoolStore['resign']>[0]): Promise<void> {
    await this.#turn(input.now, (turn) => leading.resign(turn, input))
  }

  async get(name: string): Promise<VmDescriptor | null> {
    return await this.#reads.vm(name)
  }

  async getMany(names: readonly string[]): Promise<readonly VmDescriptor[]> {
    return await this.#reads.vms(names)
  }

  async byIp(ip: string): Promise<readonly VmDescriptor[]> {
    return await this.#reads.byIp(ip)
  }

  async byTask(taskId: string): Promise<readonly VmDescriptor[]> {
    return await this.#reads.byTask(taskId)
  }

  async list({ group, states, limit, cursor }: Parameters<port.PoolStore['list']>[0]): Promise<port.VmPage> {
    const vms = await this.#reads.page({ group: group ?? null, states: states ?? null, after: cursor ?? null, limit })
    return { vms, cursor: vms.length < limit ? null : vms.at(-1)!.name }
  }

  async counts({ now }: port.At): Promise<readonly port.GroupCounts[]> {
    const settings = await this.#reads.settings()
    const states = await this.#reads.stateCounts()
    const groups = new Set([...settings.configuration.groups.map(({ id }) => id), ...states.keys()])
    return await Promise.all(
      [...groups].map(async (group) => ({
        group,
        states: allStates(states.get(group) ?? {}),
        free: await this.#reads.countFree(group, checkedAfterFor(settings, now, ruleOf(settings, group))),
        clean: await this.#reads.countFree(group, Number.NEGATIVE_INFINITY),
        waiting: await this.#reads.countWaiting(group),
        lastSpawnStart: parseSeconds(await this.#reads.info(group, LAST_SPAWN)),
      })),
    )
  }

  async usage(owners: readonly string[]): Promise<readonly port.OwnerUsage[]> {
    return await Promise.all(owners.map(async (owner) => await this.#reads.usage(owner)))
  }

  async readInfo(group: string, key: string): Promise<string | null> {
    return await this.#reads.info(group, key)
  }

  async writeInfo(group: string, key: string, value: string): Promise<void> {
    await this.#place.transact((tables) => tables.setInfo(group, key, value))
  }

  changes({ signal }: { readonly signal: AbortSignal }): AsyncIterable<PoolNews> {
    return this.#hub.watch(signal)
  }

  /** A record is one row, so none can lose a part. */
  async partialRecords(): Promise<readonly port.PartialRecord[]> {
    return []
  }

  async repair(): Promise<port.Batch> {
    return { changes: [], refused: [] }
  }

  async reindex(): Promise<{ readonly vms: number }> {
    await this.#reindexAll()
    const counts = await this.#reads.stateCounts()
    return { vms: [...counts.values()].flatMap((states) => Object.values(states)).reduce((a, b) => a + b, 0) }
  }

  async verify(): Promise<readonly string[]> {
    return await this.#place.verify()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#place[Symbol.asyncDispose]()
  }

  get #reads(): PoolReads {
    return this.#place.reads
  }

  async #reindexAll(): Promise<void> {
    let after = await this.#place.reindex(null, REINDEX_PAGE)
    while (after !== null) after = await this.#place.reindex(after, REINDEX_PAGE)
  }

  /** Runs one transition, keeps its changes with it, and tells of them once they are kept. */
  async #turn<T extends object>(now: number, work: (turn: Turn) => Promise<T>): Promise<T & port.Changed>
  async #turn(now: number, work: (turn: Turn) => Promise<void>): Promise<port.Changed>
  async #turn(now: number, work: (turn: Turn) => Promise<object | void>): Promise<object & port.Changed> {
    const done = await this.#place.transact(async (tables) => {
      const turn = await beginTurn(tables, this.#place.ids, now)
      const result = await work(turn)
      if (turn.changes.length > 0) await tables.tell(turn.changes)
      return { result, changes: turn.changes }
    })
    this.#hub.tell(done.changes)
    return { ...done.result, changes: done.changes }
  }
}

function ruleOf(settings: Settings, group: string): GroupRules {
  const rules = settings.configuration.groups.find(({ id }) => id === group)
  return rules ?? { ...DEFAULT_GROUP_RULES, id: group }
}

function dueNow(vm: VmDescriptor, settings: Settings, now: number): port.DueVm['kinds'] {
  return dueKinds(vm, ruleOf(settings, vm.group), settings.serverStartedAt, now)
}

function allStates(counts: Partial<Record<VmState, number>>): port.VmCounts {
  return Object.fromEntries(VM_STATES.map((state) => [state, counts[state] ?? 0])) as Record<VmState, number>
}

function requestCursor(cursor: string | null | undefined): RequestCursor | null {
  if (cursor === null || cursor === undefined) return null
  const colon = cursor.indexOf(':')
  return { submittedAt: Number(cursor.slice(0, colon)), id: cursor.slice(colon + 1) }
}
