import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'

import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import { PostgresStore } from '../../packages/mainstay/src/store/index.ts'
import { needPostgres, PrivatePostgres } from '../engines/support/private-postgres.ts'
import { requireLibvirt } from './lab/requirements.ts'
import { waitUntil } from './lab/wait-until.ts'
import { RecoveryLab } from './support/recovery-lab.ts'

vi.setConfig({ testTimeout: 180_000 })

const DEAD = 'lab-dead'
const OTHER = 'lab-other'
const LONG_MS = 120_000
const QUICK = ['recovery.fence_timeout_ms=9000', 'recovery.request_timeout_ms=10000', 'recovery.evacuations_at_once=1']
const SHORT_LEASE = ['journal.lease_ms=1000', 'journal.poll_ms=100']
const CLAIMED = { timeoutMs: 30_000, pollMs: 1, what: 'a guest whose restart elsewhere is claimed' }

async function twoHosts(): Promise<RecoveryLab> {
  const started = await RecoveryLab.start({ names: [DEAD, OTHER] })
  onTestFinished(async () => await started[Symbol.asyncDispose]())
  return started
}

/** Waits for the moment at which a guest's place becomes the other host, long before it is started there. */
async function claimedOnSqlite({ dataDir }: RecoveryLab): Promise<void> {
  const database = new DatabaseSync(join(dataDir, 'mainstay.db'), { readOnly: true })
  try {
    const claims = database.prepare('select 1 from instance_inventory where host = ?')
    await waitUntil(() => claims.get(OTHER) !== undefined, CLAIMED)
  } finally {
    database.close()
  }
}

beforeEach((context) => requireLibvirt(context))

describe('an evacuation that is interrupted', () => {
  test('at the claim by SIGKILL is carried on by the next process: the guest runs once, on the target', async () => {
    const lab = await twoHosts()
    await lab.define(DEAD, 'web')
    const set = [...QUICK, ...SHORT_LEASE]
    await lab.serve({ fenced: true, set })
    await lab.createSegment('auto')
    await lab.known(['web'])
    await lab.host(DEAD).powerOff()

    const claimed = claimedOnSqlite(lab)
    const id = await lab.reportDead(DEAD)
    await claimed
    await lab.server.kill()
    await lab.serve({ fenced: true, set })
    const recovery = await lab.until(id, ['completed', 'failed', 'held'], LONG_MS)
    expect(recovery.outcome).toBe(`finished: 1 guests of host ${DEAD} run elsewhere`)
    expect(await lab.statusOf(id)).toBe('finished')
    expect(await lab.moves(id)).toEqual([`web succeeded ${OTHER}`])
    expect(await lab.runsOn('web')).toEqual([OTHER])
  })

  test('by the pause of its engine is carried on by another engine, and the first finds it done', async (context) => {
    needPostgres(context)
    await using postgres = await PrivatePostgres.start()
    const lab = await twoHosts()
    const names = ['g0', 'g1', 'g2']
    for (const name of names) await lab.define(DEAD, name)
    const url = await postgres.createDatabase()
    const set = [...QUICK, ...SHORT_LEASE, `store.url=${url}`, 'store.connections=4']
    const first = await lab.serve({ fenced: true, set })
    await lab.createSegment('auto')
    const store = PostgresStore.open({ url, clock: new SystemClock(), logger: silentLogger() })
    onTestFinished(async () => await store.close())
    const placedOn = async (host: string): Promise<number> => {
      const rows = await store.read.selectFrom('instance_inventory').select('name').where('host', '=', host).execute()
      return rows.length
    }
    await waitUntil(async () => (await placedOn(DEAD)) === names.length, { timeoutMs: 30_000, what: 'an inventory' })
    await lab.host(DEAD).powerOff()

    const claimed = waitUntil(async () => (await placedOn(OTHER)) > 0, CLAIMED)
    const id = await lab.reportDead(DEAD)
    await claimed
    first.signal('SIGSTOP')
    const second = await lab.serveBeside({ fenced: true, set })
    await waitUntil(
      async () => {
        const [row] = await store.read.selectFrom('workflows').select('fence').execute()
        return Number(row?.fence) > 1
      },
      { timeoutMs: 30_000, what: 'the other engine as its owner' },
    )
    await waitUntil(async () => (await lab.runsOn('g2')).length > 0, { timeoutMs: LONG_MS, what: 'the last guest' })
    first.signal('SIGCONT')
    const ended = await waitUntil(
      async () => {
        const { body } = await second.client.request('GET', `/v1/notifications/${id}`)
        const { status } = (body as { notification: { status: string } }).notification
        return ['finished', 'failed'].includes(status) && status
      },
      { timeoutMs: LONG_MS, what: 'the end of the recovery' },
    )
    expect(ended).toBe('finished')
    expect(await lab.moves(id)).toEqual(names.map((name) => `${name} succeeded ${OTHER}`))
    for (const name of names) expect(await lab.runsOn(name)).toEqual([OTHER])
  })

  test('by the end of the target is never finished without it: the next attempt carries it on', async () => {
    const lab = await twoHosts()
    const names = ['g0', 'g1', 'g2']
    for (const name of names) await lab.define(DEAD, name)
    // The target is to be known as back before the retry chooses.
    const retry = ['compute.libvirt_reconnect_max_ms=500', 'recovery.retry_after_ms=6000']
    await lab.serve({ fenced: true, set: [...QUICK, ...retry] })
    await lab.createSegment('auto')
    await lab.known(names)
    await lab.host(DEAD).powerOff()

    const claimed = claimedOnSqlite(lab)
    const id = await lab.reportDead(DEAD)
    await claimed
    await lab.host(OTHER).stopDaemon('SIGKILL')
    await waitUntil(async () => (await lab.statusOf(id)) === 'error', { timeoutMs: LONG_MS, what: 'a failed attempt' })
    await lab.host(OTHER).startDaemon()
    const recovery = await lab.until(id, ['completed', 'failed', 'held'], LONG_MS)
    expect(recovery.outcome).toBe(`finished: 3 guests of host ${DEAD} run elsewhere`)
    expect(await lab.statusOf(id)).toBe('finished')
    for (const name of names) expect(await lab.runsOn(name)).toEqual([OTHER])
  })

  test('by a target that stays away is told as failed, with the name of its guest, and nothing is started elsewhere', async () => {
    const lab = await twoHosts()
    await lab.define(DEAD, 'web')
    await lab.serve({ fenced: true, set: QUICK })
    await lab.createSegment('auto')
    await lab.known(['web'])
    await lab.host(DEAD).powerOff()

    const claimed = claimedOnSqlite(lab)
    const id = await lab.reportDead(DEAD)
    await claimed
    await lab.host(OTHER).stopDaemon('SIGKILL')
    const recovery = await lab.until(id, ['completed', 'failed', 'held'], LONG_MS)
    expect(recovery.outcome).toContain('1 of 1 guests could not be evacuated: web')
    expect(recovery.outcome).toContain(`host ${OTHER}`)
    expect(await lab.statusOf(id)).toBe('failed')
  })

  test('by the death of the target is ended by the recovery of that target, which takes the guest along', async () => {
    const lab = await RecoveryLab.start({ names: [DEAD, OTHER, 'lab-third'] })
    onTestFinished(async () => await lab[Symbol.asyncDispose]())
    await lab.define(DEAD, 'web')
    await lab.serve({ fenced: true, set: [...QUICK, 'recovery.attempts=1'] })
    await lab.createSegment('auto')
    await lab.known(['web'])
    await lab.host(DEAD).powerOff()

    const claimed = claimedOnSqlite(lab)
    const first = await lab.reportDead(DEAD)
    await claimed
    await lab.host(OTHER).powerOff()
    expect((await lab.until(first, ['completed', 'failed', 'held'], LONG_MS)).status).toBe('failed')
    expect(await lab.runsOn('web')).toEqual([])
    const second = await lab.reportDead(OTHER)
    const recovery = await lab.until(second, ['completed', 'failed', 'held'], LONG_MS)
    expect(recovery.outcome).toBe(`finished: 1 guests of host ${OTHER} run elsewhere`)
    expect(await lab.moves(second)).toEqual(['web succeeded lab-third'])
    expect(await lab.runsOn('web')).toEqual(['lab-third'])
  })
})
