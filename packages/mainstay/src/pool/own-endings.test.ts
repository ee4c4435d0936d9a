import { describe, expect, test } from 'vitest'

import { createLogger, type Logger } from '../core/logging.ts'
import type { GroupRules } from './options.ts'
import { labelOptions } from './testing/counts.ts'
import { PoolRig, type RigProcess } from './testing/rig.ts'

const BUILD_MS = 40_000

/** A logger, and the lines of warnings and errors. */
function loud(): { readonly logger: Logger; readonly lines: string[] } {
  const lines: string[] = []
  const destination = { write: (line: string) => void lines.push(line) }
  return { lines, logger: createLogger({ level: 'warn', format: 'json', destination }) }
}

function rigOf(logger: Logger): PoolRig {
  return new PoolRig({
    groups: [{ id: 'g', maxTotal: 0, maxSpawns: 0 }],
    labels: [labelOptions({ label: 'g', minReady: 4 })],
    cloud: { latency: { buildMs: BUILD_MS, spread: 0 } },
    logger,
  })
}

async function building({ store }: RigProcess): Promise<string[]> {
  return (await store.list({ states: ['building'], limit: 99 })).vms.map(({ name }) => name)
}

async function change({ store }: RigProcess, rules: Partial<GroupRules>): Promise<void> {
  const { pool, groups } = await store.configuration()
  await store.configure({ pool, groups: groups.map((group) => ({ ...group, ...rules })) }, { fence: null })
}

const NOTHING_AGAINST_IT = { failuresInRow: 0, opens: 0, probingSince: null, successRate: 1 }

describe('C11 machines that the pool ends while they are made', () => {
  test.each<[string, (process: RigProcess, names: readonly string[]) => Promise<unknown>]>([
    [
      'an operator destroys them',
      async ({ operator }, names) => await operator.delete(names, { force: false, reason: 'test' }),
    ],
    ['they are more than the group may have now', async (process) => await change(process, { maxTotal: 1 })],
    ['their launch_timeout is over', async (process) => await change(process, { launchTimeoutMs: 1000 })],
  ])('C11 %s: it says nothing against the provider, and nobody is alarmed', async (_what, end) => {
    const { logger, lines } = loud()
    await using rig = rigOf(logger)
    const process = await rig.process()
    await rig.until('four are being built', async () => (await building(process)).length === 4)
    rig.plan.labels = []
    const names = await building(process)
    await end(process, names)
    await rig.clock.advance(3 * BUILD_MS)
    const left = await process.store.getMany(names)
    expect(left.length).toBeLessThan(2)
    expect(process.fleet.candidates()[0]?.health).toMatchObject(NOTHING_AGAINST_IT)
    expect(lines).toEqual([])
    expect(rig.cloud.machines(), 'and nothing stays at the provider').toHaveLength(left.length)
  })

  test('C11 a leader that lost the lead stops making machines, and that says nothing against the provider', async () => {
    const { logger, lines } = loud()
    await using rig = rigOf(logger)
    const process = await rig.process()
    await rig.until('four are being built', async () => (await building(process)).length === 4)
    const store = await rig.open()
    const now = rig.clock.now() + 60_000
    await store.lead({ id: 'another process', leaseMs: 600_000, now })
    await rig.until('it noticed', () => process.master.leadership.term === null)
    await rig.clock.advance(1000)
    expect(process.spawner.jobs.names()).toEqual(new Set())
    expect(await building(process), 'the next leader goes on with them').toHaveLength(4)
    expect(process.fleet.candidates()[0]?.health).toMatchObject(NOTHING_AGAINST_IT)
    expect(lines).toEqual([])
  })
})
