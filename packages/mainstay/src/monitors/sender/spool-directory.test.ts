import { mkdtemp, rm, stat, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { describe, expect, onTestFinished, test } from 'vitest'

import { SystemClock } from '../../core/clock.ts'
import { SystemIds } from '../../core/ids.ts'
import { silentLogger } from '../../core/logging.ts'
import { SpoolBusyError } from '../errors.ts'
import { spoolDirectoryConformance } from './conformance.ts'
import { MemorySpoolDirectory } from './memory-spool-directory.ts'
import { NodeSpoolDirectory } from './node-spool-directory.ts'
import { Spool } from './spool.ts'

async function emptyFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'mainstay-spool-'))
  onTestFinished(async () => await rm(folder, { recursive: true }))
  return folder
}

spoolDirectoryConformance('in memory', async () => new MemorySpoolDirectory())
spoolDirectoryConformance('on disk', async () => await NodeSpoolDirectory.lock(await emptyFolder()))

describe('a spool directory on disk', () => {
  test('is made when it is not there, for its owner alone', async () => {
    const path = join(await emptyFolder(), 'deep', 'spool')
    await using cleanup = new AsyncDisposableStack()
    const directory = await NodeSpoolDirectory.lock(path)
    cleanup.defer(async () => await directory.close())
    await (await directory.append('a')).close()
    expect((await stat(path)).mode & 0o777).toBe(0o700)
    expect((await stat(join(path, 'a'))).mode & 0o777).toBe(0o600)
  })

  test('is for one at a time, by whatever name it is called, until it is closed', async () => {
    const folder = await emptyFolder()
    const path = join(folder, 'spool')
    const first = await NodeSpoolDirectory.lock(path)
    await symlink(path, join(folder, 'alias'))
    await expect(NodeSpoolDirectory.lock(path)).rejects.toThrow(SpoolBusyError)
    await expect(NodeSpoolDirectory.lock(join(folder, 'alias'))).rejects.toThrow(SpoolBusyError)
    await first.close()
    await (await NodeSpoolDirectory.lock(path)).close()
  })

  test('keeps a spool across two lives', async () => {
    const path = await emptyFolder()
    const open = async (): Promise<Spool> => {
      const directory = await NodeSpoolDirectory.lock(path)
      return await Spool.open({ directory, clock: new SystemClock(), ids: new SystemIds(), logger: silentLogger() })
    }
    const first = await open()
    const payload = { event: 'STOPPED', process_name: 'nova-compute' } as const
    const receipt = await first.accept({ type: 'PROCESS', hostname: 'cn1', detectedAtMs: 1, payload })
    await first.close()
    const second = await open()
    expect(second.records()).toMatchObject([{ id: receipt.id, subject: 'proc:cn1/nova-compute' }])
    await second.close()
  })
})
