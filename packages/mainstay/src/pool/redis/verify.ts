import { DEFAULT_GROUP_RULES, type GroupRules } from '../options.ts'
import { joined, placements } from '../placements.ts'
import { queueScore } from '../rank.ts'
import type { PoolRequest } from '../request.ts'
import { parseSeconds } from '../seconds.ts'
import { fieldsOf, readVm } from './fields.ts'
import { escaped, namesOfRecords, scan, type Asked } from './names.ts'
import { listOf, readObject, readRequest } from './reply.ts'
import type { PoolRunner } from './runner.ts'

/** Keys that are no index: rules, records, what happened. */
const NO_INDEX =
  /^(?:n:(?:config|leader|changes.*|request::.*|failure-holds|partial|misplaced|refused|queue:served)|vm_instance:.*|vm_pool_info:.*|server_info:.*)$/

/**
 * Where the indexes differ from a recount of the records. Reads everything, and is right only while nobody writes.
 *
 * Source: vm-pool.md C1.
 */
export async function verifyIndexes(runner: PoolRunner): Promise<string[]> {
  const { connection, prefix } = runner
  const { pool, groups } = await runner.configuration()
  const started = await connection.ask(['HGET', `${prefix}server_info:hset::`, 'server_start_timestamp'])
  const serverStartedAt = parseSeconds(typeof started === 'string' ? started : null) ?? 0
  const wanted = new Map<string, number>()
  const add = (line: string, by: number): void => void wanted.set(line, (wanted.get(line) ?? 0) + by)
  const refused = new Set(listOf(await connection.ask(['HKEYS', `${prefix}n:refused`])).map(String))
  const names = (await namesOfRecords(connection, prefix)).filter((name) => !refused.has(name))
  const records = await Promise.all(
    names.map((name) => connection.ask(['HGETALL', `${prefix}vm_instance:hset::${name}`])),
  )
  for (const [index, reply] of records.entries()) {
    const vm = readVm(names[index]!, fieldsOf(listOf(reply) as readonly string[]))
    if (vm === null) continue
    const found = placements(vm, rulesOf(groups, vm.group), serverStartedAt)
    for (const { index: key, score } of found.indexes) add(`${key} ${vm.name}`, score)
    for (const { table, field } of found.counts) add(`${table} ${field}`, 1)
    add(`vm_pool:set::${vm.group} ${vm.name}`, 0)
  }
  const requests = await allRequests(connection, prefix)
  for (const request of requests) placeRequest(request, pool.ageingMs, add)
  for (const line of heads(requests, pool.ageingMs)) add(line, 0)
  const kept = await keptIndexes(connection, prefix)
  return [
    ...[...kept]
      .filter(([line, score]) => wanted.get(line) !== score && !(isListing(line) && refused.has(memberOf(line))))
      .map(([line, score]) => `kept: ${line} ${score}, recount: ${wanted.get(line)}`),
    ...[...wanted].filter(([line]) => !kept.has(line)).map(([line, score]) => `missing: ${line} ${score}`),
  ]
}

/** The names of a group's machines, which a refused record keeps, are no index that follows from records. */
function isListing(line: string): boolean {
  return line.startsWith('vm_pool:set::')
}

function memberOf(line: string): string {
  return line.slice(line.indexOf(' ') + 1)
}

function placeRequest(request: PoolRequest, ageingMs: number, add: (line: string, by: number) => void): void {
  const { id, owner, sandbox } = request
  if (request.status !== 'waiting') {
    add(`n:requests:ended ${id}`, request.endedAt ?? 0)
    return
  }
  const score = queueScore(request, ageingMs)
  for (const group of request.groups) {
    add(`n:queue:own::${joined(group, owner)} ${id}`, score)
    add(`n:queue:line::${joined(group, owner, sandbox)} ${id}`, score)
    add(`n:queue:groups ${group}`, 0)
  }
  add(`n:requests ${id}`, request.submittedAt)
  add(`n:requests:until ${id}`, request.waitUntil)
  add(`n:queue:count ${owner}`, 1)
}

/** The first request of each owner in each group, with what its rank depends on. */
function heads(requests: readonly PoolRequest[], ageingMs: number): string[] {
  const waiting = requests.filter(({ status }) => status === 'waiting')
  const lines = waiting.flatMap((request) => request.groups.map((group) => ({ group, request })))
  return [...Map.groupBy(lines, ({ group, request }) => joined(group, request.owner)).values()].map((line) => {
    const [first] = line.toSorted(
      (a, b) =>
        queueScore(a.request, ageingMs) - queueScore(b.request, ageingMs) || (a.request.id < b.request.id ? -1 : 1),
    )
    const { group, request } = first!
    const { owner, priority, weight, submittedAt, id } = request
    return `n:queue:heads::${joined(group)} ${owner} ${priority} ${weight} ${submittedAt} ${id}`
  })
}

async function allRequests(connection: Asked, prefix: string): Promise<PoolRequest[]> {
  const keys = await scan(connection, `${escaped(prefix)}n:request::*`)
  const replies = await Promise.all(keys.map((key) => connection.ask(['GET', key])))
  return replies.flatMap((reply) => (typeof reply === 'string' ? readRequest(readObject(reply)) : []))
}

async function keptIndexes(connection: Asked, prefix: string): Promise<Map<string, number>> {
  const names = (await scan(connection, `${escaped(prefix)}*`)).map((key) => key.slice(prefix.length))
  const parts = await Promise.all(
    names.filter((name) => !NO_INDEX.test(name)).map((name) => keptIn(connection, prefix, name)),
  )
  return new Map(parts.flat())
}

async function keptIn(connection: Asked, prefix: string, name: string): Promise<[line: string, score: number][]> {
  const key = `${prefix}${name}`
  if (name.startsWith('vm_pool:set::')) {
    return listOf(await connection.ask(['SMEMBERS', key])).map((member) => [`${name} ${String(member)}`, 0])
  }
  const isSet = (await connection.ask(['TYPE', key])) === 'zset'
  const reply = await connection.ask(isSet ? ['ZRANGE', key, '0', '-1', 'WITHSCORES'] : ['HGETALL', key])
  const fields = [...fieldsOf(listOf(reply) as readonly string[])]
  // These say who is first and why, in words.
  if (name.startsWith('n:queue:heads::')) return fields.map(([owner, head]) => [`${name} ${owner} ${head}`, 0])
  return fields.map(([member, score]) => [`${name} ${member}`, Number(score)])
}

function rulesOf(groups: readonly GroupRules[], group: string): GroupRules {
  return groups.find(({ id }) => id === group) ?? { ...DEFAULT_GROUP_RULES, id: group }
}
