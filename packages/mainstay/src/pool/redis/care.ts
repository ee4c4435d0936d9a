import type * as port from '../store.ts'
import { escaped, namesOfRecords, scan, scanNames } from './names.ts'
import { listOf } from './reply.ts'
import { pages, REINDEX_PAGE, type PoolRunner } from './runner.ts'
import { verifyIndexes } from './verify.ts'

/** Sorted indexes of machines, of which there is one for each group, owner, address, task or request. */
const OF_MACHINES = /^n:(?:state|free|idle|evict|preempt|ip|task|leases)::/

/** Care for records and indexes that other programs may have written to. */
export function careOf(runner: PoolRunner): Pick<port.PoolStore, 'partialRecords' | 'repair' | 'reindex' | 'verify'> {
  return {
    async partialRecords({ now }) {
      const names = await scanNames(runner.connection, runner.prefix, await runner.groupIds())
      const found: port.PartialRecord[] = []
      for (const page of pages(names, REINDEX_PAGE)) {
        const { result } = await runner.run('repair', now, { verb: 'find', names: page })
        for (const each of listOf(result['partial'])) {
          const partial = each as port.PartialRecord
          found.push({ ...partial, group: partial.group ?? null })
        }
      }
      return found
    },

    async repair({ now, names, graceMs }) {
      const { result, changes } = await runner.run('repair', now, { verb: 'repair', names, graceMs })
      return { refused: listOf(result['refused']) as port.Batch['refused'], changes }
    },

    async reindex({ now, fence }: port.At & port.ByMaster): Promise<{ readonly vms: number }> {
      const names = await namesOfRecords(runner.connection, runner.prefix)
      const keys = await scan(runner.connection, `${escaped(runner.prefix)}n:*::*`)
      const indexes = keys.map((key) => key.slice(runner.prefix.length)).filter((key) => OF_MACHINES.test(key))
      const { result } = await runner.run('rebuild', now, { fence, names, indexes }, { fence })
      return { vms: Number(result['vms']) }
    },

    async verify() {
      return await verifyIndexes(runner)
    },
  }
}
