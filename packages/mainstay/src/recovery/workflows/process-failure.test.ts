import { describe, expect, test, vi } from 'vitest'

import { RecoveryLab } from '../testing/recovery-lab.ts'

// Hours of a clock that is moved by hand take seconds on a busy machine.
vi.setConfig({ testTimeout: 60_000 })

async function report(lab: RecoveryLab, name: string, event = 'STOPPED'): Promise<string> {
  return await lab.notify('host-001', { type: 'PROCESS', payload: { process_name: name, event } })
}

describe('a process that died (ha-api 14)', () => {
  test('nova-compute: its host takes no new guests, which is confirmed', async () => {
    await using lab = await RecoveryLab.open()
    const id = await report(lab, 'nova-compute')
    await lab.untilNotification(id, 'finished')
    expect(lab.compute.fleet.host('host-001').disabledReason).toBe('Masakari detected process failed.')
    expect(await lab.host('host-001')).toMatchObject({ onMaintenance: true })
    const names = ['DisableComputeNodeTask', 'ConfirmComputeNodeDisabledTask']
    expect((await lab.details(id)).map(({ name, state, progress }) => [name, state, progress])).toEqual(
      names.map((name) => [name, 'SUCCESS', 1]),
    )
  })

  test('nova-compute on a host that is disabled already: the reason stays', async () => {
    await using lab = await RecoveryLab.open()
    const acting = { key: 'k', fence: 1, signal: AbortSignal.timeout(60_000) }
    await lab.compute.disableHost('host-001', { reason: 'new disks' }, acting)
    const id = await report(lab, 'nova-compute')
    await lab.untilNotification(id, 'finished')
    expect(lab.compute.fleet.host('host-001').disabledReason).toBe('new disks')
    const [disable] = await lab.details(id)
    expect(disable!.steps.map(({ message }) => message)).toEqual([expect.stringContaining('already disabled')])
  })

  test('nova-compute: the confirmation waits for a platform that is silent or slow to believe it', async () => {
    await using lab = await RecoveryLab.open()
    lab.compute.faults.order('disable-host', 'lie')
    const id = await report(lab, 'nova-compute')
    await lab.journal.clock.advance(5000)
    expect((await lab.status(id)).status).toBe('running')
    lab.compute.faults.order('ask', 'unavailable', { times: 2 })
    const acting = { key: 'k', fence: 1, signal: AbortSignal.timeout(60_000) }
    await lab.compute.disableHost('host-001', { reason: 'at last' }, acting)
    await lab.untilNotification(id, 'finished')
  })

  test('nova-compute: the confirmation is given up after its time', async () => {
    await using lab = await RecoveryLab.open({ policy: { serviceUpdateTimeoutMs: 10_000, attempts: 1 } })
    lab.compute.faults.order('disable-host', 'lie')
    const id = await report(lab, 'nova-compute')
    await lab.untilNotification(id, 'failed')
    expect((await lab.until(id, 'failed')).outcome).toContain('took longer than 10000 ms')
  })

  test('any other: its host is on maintenance, and the platform is not asked for anything', async () => {
    await using lab = await RecoveryLab.open()
    const id = await report(lab, 'libvirtd')
    await lab.untilNotification(id, 'finished')
    expect(await lab.host('host-001')).toMatchObject({ onMaintenance: true })
    expect(lab.fleetLog()).toHaveLength(1)
  })

  test('that started again: nothing is done', async () => {
    await using lab = await RecoveryLab.open()
    const id = await report(lab, 'nova-compute', 'STARTED')
    await lab.untilNotification(id, 'finished')
    expect(await lab.host('host-001')).toMatchObject({ onMaintenance: false })
    expect(lab.fleetLog()).toHaveLength(1)
  })
})

test('11.3 notifications of one host are handled one after the other', async () => {
  await using lab = await RecoveryLab.open({ fences: () => [] })
  const first = await lab.lose('host-001')
  await lab.until(first, 'held')
  const second = await report(lab, 'libvirtd')
  await lab.journal.clock.advance(5000)
  expect((await lab.status(second)).status).toBe('new')
  await lab.desk.assertDead({ host: 'host-001', reason: 'looked at it', by: 'ops' })
  await lab.untilNotification(first, 'finished')
  await lab.untilNotification(second, 'finished')
})
