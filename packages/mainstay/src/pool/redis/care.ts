import type * as port from '../store.ts'
import { scanNames } from './names.ts'
import { listOf } from './reply.ts'
import { pages, REINDEX_PAGE, type PoolRunner } from './runner.ts'
import { verifyIndexes } from './verify.ts'

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
      await runner.run('each', now, { verb: 'recheck', fence, vms: [] }, { fence })
      return { vms: await runner.reindexAll(now) }
    },

    async verify() {
      return await verifyIndexes(runner)
    },
  }
}
