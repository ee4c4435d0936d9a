import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { afterAll, beforeAll, describe, expect, test, type TestContext } from 'vitest'

import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import { enqueueWorkflow, findWorkflow, workflowHistory } from '../../packages/mainstay/src/journal/index.ts'
import { PostgresStore } from '../../packages/mainstay/src/store/index.ts'
import { type ManagedProcess, startProgram } from '../support/managed-process.ts'
import { usePostgres } from './support/shared-postgres.ts'

const PROGRAM = fileURLToPath(new URL('support/engine-process.ts', import.meta.url))
const LEASE_MS = 1000
const PATIENCE_MS = 20_000

/** Starts an engine in a process of its own. */
async function startEngine(url: string, effects: string): Promise<ManagedProcess> {
  return await startProgram([process.execPath, PROGRAM, url, effects, String(LEASE_MS)])
}

describe('several engines on one PostgreSQL', () => {
  const database = usePostgres()
  let directory: string

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'mainstay-takeover-'))
  })

  afterAll(async () => {
    await rm(directory, { recursive: true, force: true })
  })

  async function setUp(
    ctx: TestContext,
    name: string,
  ): Promise<{ url: string; store: PostgresStore; effects: string }> {
    const url = await database(ctx)
    const store = PostgresStore.open({ url, clock: new SystemClock(), logger: silentLogger() })
    await store.migrate()
    await store.write((queries) =>
      enqueueWorkflow(queries, { id: name, name: 'probe', version: 1, subject: name, input: null }, Date.now()),
    )
    return { url, store, effects: join(directory, name) }
  }

  async function completed(store: PostgresStore, id: string): Promise<void> {
    await expect
      .poll(async () => (await findWorkflow(store.read, id))?.status, { timeout: PATIENCE_MS, interval: 50 })
      .toBe('completed')
  }

  async function effectsOf(file: string): Promise<string[]> {
    return (await readFile(file, 'utf8'))
      .trimEnd()
      .split('\n')
      .map((line) => line.split(' ')[0]!)
  }

  test('one takes over from another that was killed, and nothing is done twice', async (ctx) => {
    const { url, store, effects } = await setUp(ctx, 'killed')
    await using first = await startEngine(url, effects)
    await first.untilPrinted(/acting killed 3 /)
    await first.kill()
    await using second = await startEngine(url, effects)
    await completed(store, 'killed')
    expect(await effectsOf(effects)).toHaveLength(10)
    expect(new Set(await effectsOf(effects)).size).toBe(10)
    expect(second.printed()).toContain('fence 2')
    await store.close()
  })

  test('one that was paused for longer than its lease is refused when it wakes up', async (ctx) => {
    const { url, store, effects } = await setUp(ctx, 'paused')
    await using paused = await startEngine(url, effects)
    await paused.untilPrinted(/acting paused 3 /)
    await paused.server.pause()
    await using other = await startEngine(url, effects)
    await completed(store, 'paused')
    const before = await workflowHistory(store.read, 'paused')
    await paused.server.resume()
    await paused.untilPrinted(/lets go/)
    expect(await workflowHistory(store.read, 'paused')).toEqual(before)
    const late = before.filter(({ fence, seq }) => fence === 1 && seq > before.find((entry) => entry.fence === 2)!.seq)
    expect(late).toEqual([])
    expect(new Set(await effectsOf(effects)).size).toBe(10)
    expect(await effectsOf(effects)).toHaveLength(10)
    expect(other.printed()).toContain('acting paused 10 fence 2')
    await store.close()
  })
})
