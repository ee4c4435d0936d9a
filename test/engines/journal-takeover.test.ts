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
/** A busy machine is not late by that much. */
const LEASE_MS = 3000
const POLL_MS = 50
const PATIENCE_MS = 20_000

/** Far more than the poll or two that it takes, because a busy machine polls late; far less than anybody's patience. */
const MOST_AFTER_LEASE_MS = 100 * POLL_MS

/** An engine of this kind has no reason of its own to ask whether it still leads. */
const UNWATCHED = { leaseMs: 600_000, pollMs: 600_000 }

interface EngineSettings {
  /** Acts until the process gets SIGCONT. */
  readonly heldStep?: number
  readonly leaseMs?: number
  readonly pollMs?: number
}

/** Starts an engine in a process of its own. */
async function startEngine(
  { url, effects }: { url: string; effects: string },
  { heldStep = 0, leaseMs = LEASE_MS, pollMs = POLL_MS }: EngineSettings = {},
): Promise<ManagedProcess> {
  return await startProgram([process.execPath, PROGRAM, url, effects, ...[heldStep, leaseMs, pollMs].map(String)])
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

  async function expectEachOnce(file: string): Promise<void> {
    const effects = await effectsOf(file)
    expect(effects).toHaveLength(10)
    expect(new Set(effects).size).toBe(10)
  }

  test('one takes over from another that was killed, soon after its lease and not before, and nothing is done twice', async (ctx) => {
    const { store, ...place } = await setUp(ctx, 'killed')
    await using first = await startEngine(place, { heldStep: 3 })
    await first.untilPrinted(/acting killed 3 fence 1/)
    const { owner } = (await findWorkflow(store.read, 'killed'))!
    await using second = await startEngine(place)
    await second.untilPrinted(/ready /)
    await first.kill()
    await completed(store, 'killed')
    await expectEachOnce(place.effects)
    const engines = store.read.selectFrom('engines').select('lease_until')
    const { lease_until: leaseUntil } = await engines.where('id', '=', owner).executeTakeFirstOrThrow()
    const taken = (await workflowHistory(store.read, 'killed')).find(({ fence }) => fence === 2)!
    expect(taken.at).toBeGreaterThan(leaseUntil)
    expect(taken.at).toBeLessThan(leaseUntil + MOST_AFTER_LEASE_MS)
    await store.close()
  })

  test('one that was paused for longer than its lease lets go when it wakes up', async (ctx) => {
    const { store, ...place } = await setUp(ctx, 'paused')
    await using paused = await startEngine(place, { heldStep: 3 })
    await paused.untilPrinted(/acting paused 3 fence 1/)
    await paused.server.pause()
    await using other = await startEngine(place)
    await completed(store, 'paused')
    const before = await workflowHistory(store.read, 'paused')
    await paused.server.resume()
    await paused.untilPrinted(/lets go/)
    expect(await workflowHistory(store.read, 'paused')).toEqual(before)
    await expectEachOnce(place.effects)
    expect(other.printed()).toContain('acting paused 10 fence 2')
    await store.close()
  })

  test('one whose own clock did not show the pause is refused by the database, while another goes on', async (ctx) => {
    const { store, ...place } = await setUp(ctx, 'unaware')
    await using unaware = await startEngine(place, { heldStep: 3, ...UNWATCHED })
    await unaware.untilPrinted(/acting unaware 3 fence 1/)
    await unaware.server.pause()
    await store.write((queries) => queries.updateTable('engines').set({ lease_until: 0 }).execute())
    await using other = await startEngine(place, { heldStep: 5, ...UNWATCHED })
    await other.untilPrinted(/acting unaware 5 fence 2/)
    const before = await workflowHistory(store.read, 'unaware')
    await unaware.server.resume()
    await unaware.untilPrinted(/is owned by another engine/)
    expect(await workflowHistory(store.read, 'unaware')).toEqual(before)
    expect(unaware.printed()).not.toContain('acting unaware 4')
    other.signal('SIGCONT')
    await completed(store, 'unaware')
    await expectEachOnce(place.effects)
    await store.close()
  })
})
