import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'

import { requireLibvirt } from './lab/requirements.ts'
import { waitUntil } from './lab/wait-until.ts'
import { RecoveryLab } from './support/recovery-lab.ts'

vi.setConfig({ testTimeout: 180_000 })

const DEAD = 'lab-dead'
const OTHER = 'lab-other'
const ENDS = ['completed', 'failed', 'held']
const QUICK = ['recovery.fence_timeout_ms=9000', 'recovery.request_timeout_ms=10000', 'recovery.attempts=1']
const SOON = ['recovery.look_again_ms=500', 'recovery.look_again_max_ms=1000', 'compute.libvirt_reconnect_max_ms=500']

async function twoHosts(): Promise<RecoveryLab> {
  const started = await RecoveryLab.start({ names: [DEAD, OTHER] })
  onTestFinished(async () => await started[Symbol.asyncDispose]())
  return started
}

beforeEach((context) => requireLibvirt(context))

describe('a host that crashed and is back', () => {
  test('before anybody reports it has its guests, which it shows shut off, run elsewhere', async () => {
    const lab = await twoHosts()
    await lab.define(DEAD, 'web')
    await lab.define(DEAD, 'off', { start: false })
    await lab.serve({ set: [...QUICK, ...SOON] })
    await lab.createSegment('auto')
    await lab.known(['web', 'off'])
    await lab.host(DEAD).powerOff()
    await lab.host(DEAD).powerOn()
    await waitUntil(async () => (await lab.computeHost(DEAD)).state === 'up', { timeoutMs: 30_000, what: 'its return' })

    const id = await lab.reportDead(DEAD)
    const recovery = await lab.until(id, ENDS)
    expect(recovery.outcome).toBe(
      `finished: 1 guests of host ${DEAD} run elsewhere; ` +
        `1 were moved and do not run, as before: off (was stopped, is stopped)`,
    )
    expect(await lab.runsOn('web')).toEqual([OTHER])
    expect(await lab.runsOn('off')).toEqual([])
  })

  test('while its recovery is held: it is looked at again without a person, and its guests run elsewhere', async () => {
    const lab = await twoHosts()
    await lab.define(DEAD, 'web')
    await lab.serve({ set: [...QUICK, ...SOON] })
    await lab.createSegment('auto')
    await lab.known(['web'])
    await lab.host(DEAD).powerOff()

    const id = await lab.reportDead(DEAD)
    expect((await lab.until(id, ENDS)).status).toBe('held')
    await lab.host(DEAD).powerOn()
    const recovery = await lab.until(id, ['completed', 'failed'])
    expect(recovery.outcome).toBe(`finished: 1 guests of host ${DEAD} run elsewhere`)
    expect(await lab.runsOn('web')).toEqual([OTHER])
  })

  test('not, and one of its guests died just before it: both run elsewhere, one that a person had stopped does not', async () => {
    const lab = await twoHosts()
    for (const name of ['web', 'mail', 'halted']) await lab.define(DEAD, name)
    await lab.serve({ fenced: true, set: QUICK })
    await lab.createSegment('auto')
    await lab.known(['web', 'mail', 'halted'])
    await lab.host(DEAD).virsh('destroy', 'halted')
    await lab.host(DEAD).killQemu('web')
    await lab.known(['web', 'halted'], 'stopped')
    await lab.host(DEAD).powerOff()

    const id = await lab.reportDead(DEAD)
    const recovery = await lab.until(id, ENDS)
    expect(recovery.outcome).toBe(
      `finished: 2 guests of host ${DEAD} run elsewhere; ` +
        `1 were moved and do not run, as before: halted (was stopped, is stopped)`,
    )
    for (const name of ['web', 'mail']) expect(await lab.runsOn(name)).toEqual([OTHER])
    expect(await lab.runsOn('halted')).toEqual([])
  })
})

describe('a libvirtd that has lost what it kept of a running guest', () => {
  test('proves nothing: the recovery is held, names the guest, and goes on when its process is gone and a person says so', async () => {
    const lab = await twoHosts()
    await lab.define(DEAD, 'web')
    await lab.serve({ set: [...QUICK, ...SOON] })
    await lab.createSegment('auto')
    await lab.known(['web'])
    await lab.host(DEAD).stopDaemon('SIGKILL')
    await lab.host(DEAD).loseRuntimeState('web')
    await lab.host(DEAD).startDaemon()
    await lab.known(['web'], 'stopped')

    const id = await lab.reportDead(DEAD)
    const held = await lab.until(id, ENDS)
    expect(held.status).toBe('held')
    expect(held.heldReason).toContain('(web) ran on host lab-dead when it was last seen')
    expect(await lab.runsOn('web')).toEqual([DEAD])

    await lab.host(DEAD).killQemu('web')
    await lab.mainstay('fence', DEAD, '--assert-dead', '--reason', 'ended the QEMU by hand')
    const recovery = await lab.until(id, ['completed', 'failed'])
    expect(recovery.outcome).toBe(`finished: 1 guests of host ${DEAD} run elsewhere`)
    expect(await lab.runsOn('web')).toEqual([OTHER])
  })
})
