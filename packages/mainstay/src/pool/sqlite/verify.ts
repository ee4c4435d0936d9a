import { DEFAULT_GROUP_RULES } from '../options.ts'
import { queueScore } from '../rank.ts'
import { VM_COLUMNS, readVmRow, vmRow } from './rows.ts'
import type { SqliteReads } from './sqlite-reads.ts'
import * as statements from './statements.ts'

type Row = Readonly<Record<string, string | number | null>>

/** Where the columns that the indexes are made of differ from a recount of the records. */
export async function verifyRows(reads: SqliteReads): Promise<string[]> {
  const { configuration, serverStartedAt } = await reads.settings()
  const found: string[] = []
  for (const row of await reads.rows<Row & { descriptor: string; name: string }>(statements.ALL_ROWS, [])) {
    const vm = readVmRow(row)
    const rules = configuration.groups.find(({ id }) => id === vm.group) ?? { ...DEFAULT_GROUP_RULES, id: vm.group }
    const recount = vmRow(vm, rules, serverStartedAt)
    VM_COLUMNS.forEach((column, index) => {
      if (row[column] !== recount[index]) found.push(`${row.name} ${column} ${row[column]}, recount: ${recount[index]}`)
    })
  }
  const queued = await reads.rows<Row>(statements.ALL_QUEUED, [])
  const kept = new Set(queued.map((row) => Object.values(row).join(' ')))
  const wanted = new Set(
    (await reads.allWaiting()).flatMap((request) => {
      const score = queueScore(request, configuration.pool.ageingMs)
      return request.groups.map((group) => [group, request.owner, request.sandbox, score, request.id].join(' '))
    }),
  )
  return [
    ...found,
    ...[...kept.difference(wanted)].map((line) => `queued too much: ${line}`),
    ...[...wanted.difference(kept)].map((line) => `not queued: ${line}`),
  ]
}
