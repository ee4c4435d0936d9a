import { rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'

import { requireLibvirt } from './lab/requirements.ts'
import { waitUntil } from './lab/wait-until.ts'
import { RecoveryLab } from './support/recovery-lab.ts'

const HOST = 'lab-one'
const PATIENCE_MS = 60_000

async function lab(): Promise<RecoveryLab> {
  const started = await RecoveryLab.start({ names: [HOST] })
  onTestFinished(async () => await started[Symbol.asyncDispose]())
  return started
}

/** Waits until virsh, which knows nothing of us, says that it runs, in a process other than the old one. */
async function untilRunsAgain(of: RecoveryLab, guest: string, oldPid: number): Promise<void> {
  const host = of.host(HOST)
  await waitUntil(
    async () => {
      const { stdout } = await host.virsh('domstate', guest)
      const pid = await host.qemuPid(guest)
      return stdout.trim() === 'running' && pid !== undefined && pid !== oldPid
    },
    { timeoutMs: PATIENCE_MS, what: `${guest} running again, by virsh` },
  )
}

beforeEach((context) => requireLibvirt(context))

describe('a guest whose QEMU is killed', () => {
  test('runs again, and its recovery says when and why', async () => {
    await using world = await lab()
    const guest = await world.define(HOST, 'web')
    await world.serve()
    await world.createSegment('auto')
    await world.agent(HOST)
    const oldPid = (await world.host(HOST).qemuPid(guest.name))!
    const killedAt = Date.now()
    await world.host(HOST).killQemu(guest.name)
    await untilRunsAgain(world, guest.name, oldPid)

    const id = await world.reported(guest)
    const recovery = await world.until(id, ['completed', 'failed'])
    expect(recovery.outcome).toBe(`finished: guest ${guest.name} runs again on host ${HOST}`)
    expect(await world.statusOf(id)).toBe('finished')
    expect(recovery.timeline.map(({ phase }) => phase)).toEqual(['detect', 'decide', 'act', 'confirm'])
    for (const { at, durationMs } of recovery.timeline) {
      // The agent tells whole seconds.
      expect(Date.parse(at)).toBeGreaterThanOrEqual(killedAt - 1000)
      expect(durationMs).toBeGreaterThanOrEqual(0)
    }
    expect(await world.mainstay('recovery', 'list')).toContain(guest.uuid)
    const explained = await world.mainstay('recovery', 'explain', id)
    expect(explained).toContain(`The recovery of instance ${guest.uuid} is COMPLETED.`)
    expect(explained).toContain('the guest failed (LIFECYCLE/STOPPED_FAILED)')
    expect(explained).toContain('rule guest recovery (ha-api 13.2): start again')
    expect(explained).toContain(`guest ${guest.name} is stopped and is started again`)
    expect(explained).toMatch(/Slowest part: (detect|decide|act|confirm), /)
    expect(await world.runsOn(guest.name)).toEqual([HOST])
    expect((await world.stop())?.code).toBe(0)
  })

  test('while the control plane is down runs again after it is back: the report waited', async () => {
    await using world = await lab()
    const guest = await world.define(HOST, 'web')
    await world.serve()
    await world.createSegment('auto')
    await world.agent(HOST)
    await world.server.kill()
    const oldPid = (await world.host(HOST).qemuPid(guest.name))!
    await world.host(HOST).killQemu(guest.name)
    await waitUntil(async () => (await world.host(HOST).virsh('domstate', guest.name)).stdout.trim() === 'shut off', {
      timeoutMs: PATIENCE_MS,
      what: 'a guest that is off, by virsh',
    })
    await world.serve()
    await untilRunsAgain(world, guest.name, oldPid)
    const id = await world.reported(guest)
    expect((await world.until(id, ['completed', 'failed'])).outcome).toMatch(/^finished: /)
    expect(await world.statusOf(id)).toBe('finished')
  })

  test('that cannot be started ends in a failed recovery with the words of libvirt', async () => {
    await using world = await lab()
    const disk = join(world.host(HOST).directory, 'disk.img')
    await writeFile(disk, Buffer.alloc(64 * 1024))
    const devices = `<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='${disk}'/><target dev='hda' bus='ide'/></disk>`
    const guest = await world.define(HOST, 'web', { devices })
    await world.serve()
    await world.createSegment('auto')
    await world.agent(HOST)
    await rename(disk, `${disk}.away`)
    await world.host(HOST).killQemu(guest.name)

    const id = await world.reported(guest)
    const recovery = await world.until(id, ['completed', 'failed'])
    expect(recovery.status).toBe('failed')
    expect(recovery.outcome).toContain('No such file or directory')
    expect(recovery.outcome).toContain(disk)
    expect(await world.statusOf(id)).toBe('failed')
    const explained = await world.mainstay('recovery', 'explain', id)
    expect(explained).toContain('What failed')
    expect(explained).toContain('No such file or directory')
    expect(await world.runsOn(guest.name)).toEqual([])
  })

  test('whose libvirtd hangs meanwhile fails with the reason in time; nothing else hangs', async () => {
    await using world = await lab()
    const guest = await world.define(HOST, 'web')
    await world.serve({
      set: [
        'recovery.request_timeout_ms=2000',
        'recovery.power_off_timeout_ms=2000',
        'recovery.power_on_timeout_ms=2000',
      ],
    })
    await world.createSegment('auto')
    // The failure is reported by hand: an agent could not see it either.
    await world.host(HOST).freezeDaemon()
    await world.host(HOST).killQemu(guest.name)
    const payload = JSON.stringify({
      event: 'LIFECYCLE',
      instance_uuid: guest.uuid,
      vir_domain_event: 'STOPPED_FAILED',
    })
    await world.mainstay('notification', 'create', 'VM', HOST, new Date().toISOString(), payload)
    const id = await world.reported(guest)
    const recovery = await world.until(id, ['completed', 'failed'])
    expect(recovery.status).toBe('failed')
    expect(recovery.outcome).toMatch(/libvirtd of host lab-one|took longer than/)
    expect(await world.mainstay('recovery', 'list', '--status', 'failed')).toContain(id)
    expect(await world.statusOf(id)).toBe('failed')
    expect(await world.mainstay('recovery', 'explain', id)).toContain('What failed')
    await world.host(HOST).thawDaemon()
    expect((await world.stop())?.code).toBe(0)
  })

  test('whose libvirtd dies meanwhile runs again once libvirtd is back, by the second attempt', async () => {
    await using world = await lab()
    const guest = await world.define(HOST, 'web')
    await world.serve({ set: ['recovery.request_timeout_ms=2000', 'recovery.attempts=20'] })
    await world.createSegment('auto')
    const oldPid = (await world.host(HOST).qemuPid(guest.name))!
    await world.host(HOST).stopDaemon()
    await world.host(HOST).killQemu(guest.name)
    const payload = JSON.stringify({
      event: 'LIFECYCLE',
      instance_uuid: guest.uuid,
      vir_domain_event: 'STOPPED_FAILED',
    })
    await world.mainstay('notification', 'create', 'VM', HOST, new Date().toISOString(), payload)
    const id = await world.reported(guest)
    await waitUntil(async () => (await world.statusOf(id)) === 'error', {
      timeoutMs: PATIENCE_MS,
      what: 'a first attempt that failed',
    })
    await world.host(HOST).startDaemon()
    await untilRunsAgain(world, guest.name, oldPid)
    expect((await world.until(id, ['completed'])).outcome).toMatch(/^finished: /)
  })
})
