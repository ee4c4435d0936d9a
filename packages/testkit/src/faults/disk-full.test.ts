import { existsSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Cluster } from '../cluster.ts'
import { DisposeError } from '../cluster-dispose.ts'
import { removeQuietly } from '../home.ts'
import { runProgram } from '../process/run.ts'
import { ownMountsIn } from '../reaper/mounts.ts'
import { rejection, withCluster } from '../testing/fixture-server.ts'
import { DiskLimit } from './disk-full.ts'

const unavailable = DiskLimit.unavailable()

describe.skipIf(unavailable !== undefined)(`small disks (testkit.md A12.1) ${unavailable ?? ''}`, () => {
  test('nothing is mounted outside of the cluster’s folder, or over all of it', async () => {
    const outside = mkdtempSync(join(tmpdir(), 'not-the-cluster-'))
    try {
      writeFileSync(join(outside, 'mine'), 'x')
      await withCluster([], async (cluster) => {
        const link = join(cluster.dir, 'link')
        symlinkSync(outside, link)
        const beside = `${cluster.dir}-beside`
        for (const folder of [outside, link, cluster.dir, beside])
          expect(await rejection(cluster.diskFull(folder))).toMatchObject({ code: 'TK_BAD_SPEC' })
        expect(ownMountsIn(cluster.dir)).toEqual([])
        expect(existsSync(join(outside, 'mine'))).toBe(true)
        expect(existsSync(beside)).toBe(false)
      })
    } finally {
      removeQuietly(outside)
    }
  })

  test('a disk below another is unmounted before it', async () => {
    const cluster = await Cluster.create({ name: 'disks', keep: 'never' })
    const outer = await cluster.diskFull(join(cluster.dir, 'outer'))
    mkdirSync(join(outer.folder, 'inner'))
    await cluster.diskFull(join(outer.folder, 'inner'))
    await cluster.dispose()
    expect(ownMountsIn(cluster.dir)).toEqual([])
  })

  test('a disk that cannot be unmounted keeps no other from it', async () => {
    const cluster = await Cluster.create({ name: 'disks', keep: 'never' })
    for (const name of ['first', 'second', 'third']) await cluster.diskFull(join(cluster.dir, name))
    await runProgram(['umount', join(cluster.dir, 'second')])
    const error = await rejection(cluster.dispose())
    expect(error).toBeInstanceOf(DisposeError)
    expect(ownMountsIn(cluster.dir)).toEqual([])
  })
})
