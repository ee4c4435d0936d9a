import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'

import { requireLibvirt } from './lab/requirements.ts'
import { RecoveryLab } from './support/recovery-lab.ts'

const DEAD = 'lab-dead'
const OTHER = 'lab-other'
const QUICK = ['recovery.fence_timeout_ms=9000', 'recovery.request_timeout_ms=10000']

async function twoHosts(): Promise<RecoveryLab> {
  const started = await RecoveryLab.start({ names: [DEAD, OTHER] })
  onTestFinished(async () => await started[Symbol.asyncDispose]())
  return started
}

beforeEach((context) => requireLibvirt(context))

describe('a host that dies with its guests', () => {
  test('is proved dead by the fence command, and each guest runs once, on the other host', async () => {
    const lab = await twoHosts()
    const guests = [await lab.define(DEAD, 'web'), await lab.define(DEAD, 'mail')]
    await lab.serve({ fenced: true, set: QUICK })
    await lab.createSegment('auto')
    await lab.host(DEAD).powerOff()

    const id = await lab.reportDead(DEAD)
    const recovery = await lab.until(id, ['completed', 'failed', 'held'])
    expect(recovery.outcome).toBe(`finished: 2 guests of host ${DEAD} run elsewhere`)
    expect(await lab.statusOf(id)).toBe('finished')
    expect(await lab.moves(id)).toEqual([`mail succeeded ${OTHER}`, `web succeeded ${OTHER}`])
    for (const { name } of guests) {
      expect(await lab.runsOn(name)).toEqual([OTHER])
      expect((await lab.host(OTHER).virsh('domstate', name)).stdout.trim()).toBe('running')
    }
    expect(recovery.timeline.map(({ phase }) => phase)).toEqual(['detect', 'decide', 'prove', 'act', 'confirm'])
    const explained = await lab.mainstay('recovery', 'explain', id)
    expect(explained).toContain('proved dead by command')
    expect(explained).toContain(`fence-host.sh verify`)
    expect((await lab.stop())?.code).toBe(0)
  })

  test('whose guests still run behind a libvirtd that hangs is cut off first', async () => {
    const lab = await twoHosts()
    const guest = await lab.define(DEAD, 'web')
    await lab.serve({ fenced: true, set: QUICK })
    await lab.createSegment('auto')
    await lab.host(DEAD).freezeDaemon()
    expect(await lab.runsOn(guest.name)).toEqual([DEAD])

    const id = await lab.reportDead(DEAD)
    const recovery = await lab.until(id, ['completed', 'failed', 'held'])
    expect(recovery.outcome).toBe(`finished: 1 guests of host ${DEAD} run elsewhere`)
    expect(await lab.runsOn(guest.name)).toEqual([OTHER])
    expect(await lab.mainstay('recovery', 'explain', id)).toContain('proved dead by command')
  })

  test('but whose libvirtd answers is fenced through it: its guests are destroyed there, then started', async () => {
    const lab = await twoHosts()
    const guest = await lab.define(DEAD, 'web')
    await lab.serve({ set: QUICK })
    await lab.createSegment('auto')

    const id = await lab.reportDead(DEAD)
    const recovery = await lab.until(id, ['completed', 'failed', 'held'])
    expect(recovery.outcome).toBe(`finished: 1 guests of host ${DEAD} run elsewhere`)
    expect(await lab.runsOn(guest.name)).toEqual([OTHER])
    expect(await lab.mainstay('recovery', 'explain', id)).toContain('proved dead by guests-destroyed')
  })

  test('without a fence that proves it is held, starts nothing, and goes on after a person has looked', async () => {
    const lab = await twoHosts()
    const guest = await lab.define(DEAD, 'web')
    await lab.serve({ set: QUICK })
    await lab.createSegment('auto')
    await lab.host(DEAD).powerOff()

    const id = await lab.reportDead(DEAD)
    const held = await lab.until(id, ['held', 'completed', 'failed'])
    expect(held.status).toBe('held')
    expect(held.heldReason).toContain(`Host ${DEAD} is not proved dead`)
    expect(held.heldReason).toContain(`mainstay fence ${DEAD} --assert-dead`)
    expect(await lab.mainstay('recovery', 'list', '--status', 'held')).toContain(id)
    expect(await lab.statusOf(id)).toBe('running')
    expect(await lab.runsOn(guest.name)).toEqual([])
    expect(await lab.moves(id)).toEqual([])

    // It waits over a restart of the control plane too.
    await lab.server.kill()
    await lab.serve({ set: QUICK })
    expect((await lab.until(id, ['held', 'completed', 'failed'])).status).toBe('held')
    expect(await lab.runsOn(guest.name)).toEqual([])

    const asserting = ['fence', DEAD, '--assert-dead', '--reason', 'I pulled the plug']
    await lab.mainstay(...asserting)
    const recovery = await lab.until(id, ['completed', 'failed'])
    expect(recovery.outcome).toBe(`finished: 1 guests of host ${DEAD} run elsewhere`)
    expect(await lab.statusOf(id)).toBe('finished')
    expect(await lab.moves(id)).toEqual([`web succeeded ${OTHER}`])
    expect(await lab.runsOn(guest.name)).toEqual([OTHER])
    const explained = await lab.mainstay('recovery', 'explain', id)
    expect(explained).toContain('proved dead by asserted')
    expect(explained).toContain('I pulled the plug')
    expect(explained).toContain('kim')

    const again = await lab.attempt(...asserting)
    expect(again.code).toBe(3)
    expect(again.stderr).toContain(`No recovery of host ${DEAD} waits for a proof of death`)
  })

  test('in a segment with a reserved host: its guests run there, and it is reserved no more', async () => {
    const lab = await twoHosts()
    const guest = await lab.define(DEAD, 'web')
    await lab.serve({ fenced: true, set: QUICK })
    await lab.createSegment('reserved_host', { reserved: [OTHER] })
    await lab.host(DEAD).powerOff()

    const id = await lab.reportDead(DEAD)
    const recovery = await lab.until(id, ['completed', 'failed', 'held'])
    expect(recovery.outcome).toBe(`finished: 1 guests of host ${DEAD} run elsewhere`)
    expect(await lab.moves(id)).toEqual([`web succeeded ${OTHER}`])
    expect(await lab.runsOn(guest.name)).toEqual([OTHER])
    const hosts = JSON.parse(await lab.mainstay('host', 'list', 'lab', '-f', 'json')) as Record<string, unknown>[]
    const flags = hosts.map((host) => [host['name'], { reserved: host['reserved'], out: host['on_maintenance'] }])
    expect(Object.fromEntries(flags)).toEqual({
      [DEAD]: { reserved: false, out: true },
      [OTHER]: { reserved: false, out: false },
    })
  })
})
