import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, open, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

import { describe, expect, test, vi } from 'vitest'

import { runCommand } from '../../packages/mainstay/src/core/child-process.ts'
import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { parseJson, type Json, type JsonObject } from '../../packages/mainstay/src/core/json.ts'
import {
  SqliteStore,
  StoreCorruptError,
  StoreUnavailableError,
  allMigrations,
  type Store,
} from '../../packages/mainstay/src/store/index.ts'
import { inOwnMounts } from './support/own-mounts.ts'

const PROCESS = fileURLToPath(new URL('support/sqlite-process.ts', import.meta.url))
const TIMEOUT_MS = 60_000

// These start processes, on a machine that may be busy.
vi.setConfig({ testTimeout: TIMEOUT_MS })

async function scratch(): Promise<AsyncDisposable & { database: string; directory: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'mainstay-trouble-'))
  return {
    directory,
    database: join(directory, 'mainstay.db'),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true }),
  }
}

async function runProcess(mode: string, path: string): Promise<JsonObject> {
  const { stdout } = await runCommand([process.execPath, PROCESS, mode, path], { timeoutMs: TIMEOUT_MS })
  return parseJson(stdout, 'what the process printed') as JsonObject
}

async function signals(store: Store): Promise<Map<string, number>> {
  const rows = await store.read
    .selectFrom('workflow_signals')
    .select(['workflow_id', (expression) => expression.fn.countAll<number>().as('rows')])
    .groupBy('workflow_id')
    .execute()
  return new Map(rows.map((row) => [row.workflow_id, row.rows]))
}

async function fillDatabase(path: string): Promise<void> {
  const store = SqliteStore.open({ path })
  await store.migrate()
  await store.write(async (queries) => {
    for (let index = 0; index < 500; index += 1) {
      const row = { id: `s-${index}`, workflow_id: 'w', name: 'n', data: 'x'.repeat(1000), at: index }
      await queries.insertInto('workflow_signals').values(row).execute()
    }
  })
  await store.close()
}

async function readAll(path: string): Promise<number> {
  const store = SqliteStore.open({ path })
  try {
    return (await store.read.selectFrom('workflow_signals').selectAll().execute()).length
  } finally {
    await store.close()
  }
}

describe('a SQLite file on a disk', () => {
  test('that fills up loses nothing acknowledged, keeps nothing half, says so, and goes on once there is room', async (ctx) => {
    const result = await inOwnMounts(ctx, {
      program: PROCESS,
      timeoutMs: TIMEOUT_MS,
      script: `mount -t tmpfs -o size=3m tmpfs /mnt
       head -c 1000000 /dev/zero >/mnt/mainstay.db.ballast
       exec "$1" "$2" fill /mnt/mainstay.db`,
    })
    expect(result['failure']).toMatchObject({
      code: 'MS_STORE_FULL',
      message: expect.stringMatching(/mainstay\.db is full or failing .* Free some space; work goes on by itself/),
    })
    expect(result['acknowledged']).toBeGreaterThan(10)
    expect(result['rows']).toBe(2 * (Number(result['acknowledged']) + 1))
  })

  test('that is read-only is named with what to check', async (ctx) => {
    const { failure } = await inOwnMounts(ctx, {
      program: PROCESS,
      timeoutMs: TIMEOUT_MS,
      script: `mount -t tmpfs -o size=3m tmpfs /mnt
       "$1" "$2" once /mnt/mainstay.db
       mount -o remount,ro /mnt
       exec "$1" "$2" once /mnt/mainstay.db`,
    })
    expect(failure).toMatchObject({
      code: expect.stringMatching(/^MS_STORE_(FULL|UNAVAILABLE)$/),
      message: expect.stringMatching(/mainstay\.db cannot be (opened|written) .* Check/),
    })
  })

  test('whose directory is missing is named with what to check', async () => {
    const opening = (): unknown => SqliteStore.open({ path: '/no/such/directory/mainstay.db' })
    expect(opening).toThrow(StoreUnavailableError)
    expect(opening).toThrow(/cannot be opened .* Check that its directory exists and may be written/)
  })
})

describe('a SQLite file that another process has locked', () => {
  test('makes a write wait without holding up anything else, and the write is done once it is free', async () => {
    await using place = await scratch()
    const store = SqliteStore.open({ path: place.database, busyTimeoutMs: 30_000 })
    await store.migrate()
    const holder = await holdLock(place.database)
    const order: string[] = []
    const writing = store
      .write((queries) => queries.insertInto('engines').values({ id: 'a', lease_until: 0, started_at: 0 }).execute())
      .then(() => order.push('written'))
    const clock = new SystemClock()
    for (let tick = 0; tick < 3; tick += 1) {
      await clock.sleep(1)
      order.push('other work')
    }
    await holder.release()
    await writing
    expect(order).toEqual(['other work', 'other work', 'other work', 'written'])
    await store.close()
  })

  test('is reported after the time that was allowed, while reading goes on', async () => {
    await using place = await scratch()
    const store = SqliteStore.open({ path: place.database, busyTimeoutMs: 100 })
    await store.migrate()
    const holder = await holdLock(place.database)
    const writing = store.write((queries) => queries.deleteFrom('engines').execute())
    await expect(store.read.selectFrom('engines').selectAll().execute()).resolves.toEqual([])
    await expect(writing).rejects.toThrow(StoreUnavailableError)
    await expect(writing).rejects.toThrow(/is locked by another process .* give each its own data directory/)
    await holder.release()
    await store.close()
  })

  test('is brought up to date by one of several processes that start at once', async () => {
    await using place = await scratch()
    const results = await Promise.all([1, 2, 3, 4].map(() => runProcess('once', place.database)))
    expect(results.filter(({ failure }) => failure !== undefined)).toEqual([])
    expect(results.flatMap(({ ran }) => ran as Json[])).toEqual(allMigrations())
    await expect(readAll(place.database)).resolves.toBe(8)
  })
})

describe('a SQLite file that is damaged', () => {
  test.each<[string, (path: string) => Promise<void>]>([
    [
      'garbage in the middle',
      async (path) => {
        const { size } = await stat(path)
        const file = await open(path, 'r+')
        await file.write(Buffer.alloc(Math.floor(size / 2), 0xa5), 0, undefined, Math.floor(size / 4))
        await file.close()
      },
    ],
    ['cut in half', async (path) => await truncate(path, Math.floor((await stat(path)).size / 2))],
    ['no database at all', async (path) => await writeFile(path, 'a shopping list, not a database\n'.repeat(200))],
    ['a damaged head', async (path) => await writeFile(path, (await readFile(path)).fill(0x5a, 0, 100))],
  ])('is not taken for an empty one: %s', async (_how, damage) => {
    await using place = await scratch()
    await fillDatabase(place.database)
    await expect(readAll(place.database)).resolves.toBe(500)
    await damage(place.database)
    const reading = readAll(place.database)
    await expect(reading).rejects.toThrow(StoreCorruptError)
    await expect(reading).rejects.toThrow(/is damaged or is no database .* Keep a copy of it, then restore a backup/)
  })
})

describe('a process that writes to SQLite', () => {
  test('and is killed again and again keeps all that it acknowledged, and nothing half', async () => {
    await using place = await scratch()
    const acknowledged: string[] = []
    for (let round = 0; round < 6; round += 1) {
      acknowledged.push(...(await killAfter(place.database, 20 + round * 37)))
      const store = SqliteStore.open({ path: place.database })
      const kept = await signals(store)
      await store.close()
      expect(acknowledged.filter((name) => kept.get(name) !== 2)).toEqual([])
      expect([...kept.values()].filter((rows) => rows !== 2)).toEqual([])
    }
    expect(acknowledged.length).toBeGreaterThan(6 * 20)
  })
})

/** Lets a process write, kills it with SIGKILL after so many acknowledged writes, and returns all that it printed. */
async function killAfter(path: string, writes: number): Promise<string[]> {
  const child = spawn(process.execPath, [PROCESS, 'write', path], { stdio: ['ignore', 'pipe', 'inherit'] })
  const names: string[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    names.push(parseJson(line, 'a name') as string)
    if (names.length === writes) child.kill('SIGKILL')
  }
  return names
}

async function holdLock(path: string): Promise<{ release: () => Promise<void> }> {
  const child = spawn(process.execPath, [PROCESS, 'lock', path], { stdio: ['pipe', 'pipe', 'inherit'] })
  await once(child.stdout, 'data', { signal: AbortSignal.timeout(TIMEOUT_MS) })
  return {
    release: async () => {
      const ended = once(child, 'exit', { signal: AbortSignal.timeout(TIMEOUT_MS) })
      child.stdin.end()
      await ended
    },
  }
}
