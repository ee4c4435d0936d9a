import type { JsonObject } from '../../core/json.ts'
import { indexKey } from '../placements.ts'
import type * as port from '../store.ts'
import { escaped, namesOfRecords, scan, scanNames } from './names.ts'
import { listOf } from './reply.ts'
import { pages, REINDEX_PAGE, type PoolRunner } from './runner.ts'
import { verifyIndexes } from './verify.ts'

/** Sorted indexes of machines, of which there is one for each group, owner, address, task or request. */
const OF_MACHINES = /^n:(?:state|free|idle|evict|preempt|ip|task|leases)::/

/** Indexes of the queue, of which there is one for each group and owner. */
const OF_QUEUE = /^n:queue:(?:own|line|heads)::/

/** Care for records and indexes that other programs may have written to, or that Redis has thrown out. */
export function careOf(runner: PoolRunner): Pick<port.PoolStore, 'partialRecords' | 'repair' | 'reindex' | 'verify'> {
  return {
    async partialRecords({ now }) {
      const names = await scanNames(runner.connection, runner.prefix, await runner.groupIds())
      const found: port.PartialRecord[] = []
      let placed = 0
      for (const page of pages(names, REINDEX_PAGE)) {
        const { result } = await runner.run('repair', now, { verb: 'find', names: page })
        found.push(...partialOf(result))
        placed += Number(result['placed'])
      }
      const indexes = [indexKey.names, indexKey.due, ...(await keysLike(runner, OF_MACHINES))]
      // Every machine stands where it should: whoever else stands there does not belong.
      const astray = (await total(runner, indexes)) > placed ? await strangers(runner, indexes, now) : []
      const known = new Set(found.map(({ name }) => name))
      found.push(...astray.filter(({ name }) => !known.has(name)))
      // What is left of a partial record must not be handed out meanwhile, and what the queue should say is known: about
      // these there is nothing to decide.
      const inTheWay = astray.some(({ name }) => known.has(name)) || (await queueIsAstray(runner, now))
      if (inTheWay) await rebuild(runner, now, null)
      return [...new Map(found.map((record) => [record.name, record])).values()]
    },

    async repair({ now, names, graceMs }) {
      const { result, changes } = await runner.run('repair', now, { verb: 'repair', names, graceMs })
      if (result['rebuild'] === true) await rebuild(runner, now, null)
      return { refused: listOf(result['refused']) as port.Batch['refused'], changes }
    },

    async reindex({ now, fence }: port.At & port.ByMaster): Promise<{ readonly vms: number }> {
      return await rebuild(runner, now, fence)
    },

    async verify() {
      return await verifyIndexes(runner)
    },
  }
}

function partialOf(result: JsonObject): port.PartialRecord[] {
  return listOf(result['partial']).map((each) => {
    const partial = each as port.PartialRecord
    return { ...partial, group: partial.group ?? null }
  })
}

/** Keys of indexes, without the prefix. */
async function keysLike({ connection, prefix }: PoolRunner, pattern: RegExp): Promise<string[]> {
  const keys = await scan(connection, `${escaped(prefix)}n:*::*`)
  return keys.map((key) => key.slice(prefix.length)).filter((key) => pattern.test(key))
}

async function total({ connection, prefix }: PoolRunner, indexes: readonly string[]): Promise<number> {
  const sizes = await Promise.all(indexes.map((key) => connection.ask(['ZCARD', `${prefix}${key}`])))
  return sizes.reduce<number>((sum, size) => sum + Number(size), 0)
}

async function members({ connection, prefix }: PoolRunner, index: string): Promise<readonly string[]> {
  return listOf(await connection.ask(['ZRANGE', `${prefix}${index}`, '0', '-1'])) as readonly string[]
}

/** Machines, with a record or without, that stand in an index where they do not belong. */
async function strangers(runner: PoolRunner, indexes: readonly string[], now: number): Promise<port.PartialRecord[]> {
  const found: port.PartialRecord[] = []
  for (const index of indexes) {
    for (const page of pages(await members(runner, index), REINDEX_PAGE)) {
      const { result } = await runner.run('repair', now, { verb: 'strangers', index, names: page })
      found.push(...partialOf(result))
    }
  }
  return found
}

/** Whether the queue says something else than the records of its requests. */
async function queueIsAstray(runner: PoolRunner, now: number): Promise<boolean> {
  const lines = (await keysLike(runner, OF_QUEUE)).filter((key) => !key.startsWith('n:queue:heads::'))
  const ids = new Set(await idsOfRequests(runner))
  for (const index of ['n:requests', 'n:requests:until', 'n:requests:ended', ...lines]) {
    for (const id of await members(runner, index)) ids.add(id)
  }
  for (const page of [[], ...pages([...ids], REINDEX_PAGE)]) {
    const { result } = await runner.run('repair', now, { verb: 'queue', ids: page })
    if (result['astray'] === true) return true
  }
  return false
}

/** Requests that have a record. */
async function idsOfRequests({ connection, prefix }: PoolRunner): Promise<string[]> {
  const start = `${prefix}n:request::`
  return (await scan(connection, `${escaped(start)}*`)).map((key) => key.slice(start.length))
}

async function rebuild(runner: PoolRunner, now: number, fence: number | null): Promise<{ readonly vms: number }> {
  const { connection, prefix } = runner
  const names = await namesOfRecords(connection, prefix)
  const ids = await idsOfRequests(runner)
  const indexes = [...(await keysLike(runner, OF_MACHINES)), ...(await keysLike(runner, OF_QUEUE))]
  const { result } = await runner.run('rebuild', now, { fence, names, ids, indexes }, { fence })
  return { vms: Number(result['vms']) }
}
