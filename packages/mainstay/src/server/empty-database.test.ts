import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

import { SystemClock } from '../core/clock.ts'
import { silentLogger } from '../core/logging.ts'
import { StoreCorruptError } from '../store/index.ts'
import { openStore } from './build-store.ts'
import { loadConfig } from './config/load.ts'
import { startServer } from './start-server.ts'

// It starts the whole program, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 })

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mainstay-empty-'))
})

afterEach(async () => {
  await rm(directory, { recursive: true })
})

async function config(): ReturnType<typeof loadConfig> {
  const set = [`server.data_dir=${directory}`, 'server.listen=127.0.0.1:0', 'log.level=silent']
  return await loadConfig({ set })
}

describe('a database of 0 bytes', () => {
  test.each(['events.db', 'fleet.jsonl', 'event-log-seen.json', 'mainstay.db-wal'])(
    'beside %s of an earlier run is not taken for a new one, and is left as it is',
    async (neighbour) => {
      await writeFile(join(directory, 'mainstay.db'), '')
      await writeFile(join(directory, neighbour), 'something')
      const options = await config()
      const opening = (): unknown => openStore(options, { clock: new SystemClock(), logger: silentLogger() })
      expect(opening).toThrow(StoreCorruptError)
      expect(opening).toThrow(
        `mainstay.db is empty (0 bytes), but data of an earlier run stands beside it (${neighbour})`,
      )
      expect(opening).toThrow(`Restore it from a backup; to begin without them, remove ${neighbour} too`)
      expect((await stat(join(directory, 'mainstay.db'))).size).toBe(0)
      expect((await stat(join(directory, neighbour))).size).toBe('something'.length)
    },
  )

  test('is refused to a server that ran before', async () => {
    const first = await startServer(await config())
    await first.stop()
    await writeFile(join(directory, 'mainstay.db'), '')
    await expect(startServer(await config())).rejects.toThrow(/stands beside it \(events\.db, fleet\.jsonl\)/)
  })

  test('of a first start that was killed is taken for what it is', async () => {
    await writeFile(join(directory, 'mainstay.db'), '')
    await mkdir(join(directory, 'event-spool'))
    const server = await startServer(await config())
    await server.stop()
    expect((await stat(join(directory, 'mainstay.db'))).size).toBeGreaterThan(0)
  })
})
