import { expect, test, vi } from 'vitest'

import { RecoveryLab } from '../testing/recovery-lab.ts'

// Minutes of a clock that is moved by hand take seconds on a busy machine.
vi.setConfig({ testTimeout: 60_000 })

const FAILED_GUEST = { event: 'LIFECYCLE', vir_domain_event: 'STOPPED_FAILED' }
const UNKNOWN = 'dddddddd-0000-4000-8000-000000000000'

function markedGuest(lab: RecoveryLab): { uuid: string; host: string } {
  const guests = [...lab.compute.fleet.world.guests.values()]
  const { uuid, host } = guests.find(({ metadata }) => metadata['HA_Enabled'] === 'True')!
  return { uuid, host: host.name }
}

async function reportGuest(lab: RecoveryLab, host: string, uuid: string): Promise<string> {
  return await lab.notify(host, { type: 'VM', payload: { ...FAILED_GUEST, instance_uuid: uuid } })
}

test('11.3, 11.4 a host is recovered at once while an earlier report of it pauses before its retry', async () => {
  await using lab = await RecoveryLab.open()
  const guest = await reportGuest(lab, 'host-001', UNKNOWN)
  await lab.untilNotification(guest, 'error')
  const reportedAt = lab.journal.clock.now()
  const host = await lab.lose('host-001')
  await lab.untilNotification(host, 'finished')
  expect((await lab.journal.find(guest)).status).toBe('waiting')
  expect(lab.journal.clock.now() - reportedAt).toBeLessThan(30_000)
  expect([...lab.audit().evacuations.values()]).toEqual([1, 1])
  await lab.untilNotification(guest, 'failed')
  expect(lab.journal.clock.now() - reportedAt).toBeGreaterThan(lab.policy.retryAfterMs - 1000)
})

test('11.4 a retry does not stop a guest that meanwhile runs elsewhere because its host was recovered', async () => {
  await using lab = await RecoveryLab.open({ policy: { powerOffTimeoutMs: 5000 } })
  const { uuid, host } = markedGuest(lab)
  lab.compute.fleet.killHost(host)
  const first = await reportGuest(lab, host, uuid)
  await lab.untilNotification(first, 'error')
  await lab.untilNotification(await lab.notify(host), 'finished')
  expect(lab.hostOf(uuid)).not.toBe(host)
  const asked = lab.accepted()
  const { outcome } = await lab.until(first, 'completed')
  expect(outcome).toContain(`runs on host ${lab.hostOf(uuid)} since it was tried on host ${host}`)
  expect(lab.accepted()).toEqual(asked)
  expect(lab.audit().doubles).toEqual([])
})

test('a recovery that waits for another one of its host names it, and one that pauses by itself names nobody', async () => {
  await using lab = await RecoveryLab.open({ fences: () => [] })
  const guest = await reportGuest(lab, 'host-001', UNKNOWN)
  await lab.untilNotification(guest, 'error')
  expect(await lab.desk.show(guest)).toMatchObject({ status: 'waiting', waitsFor: null })
  const host = await lab.lose('host-001')
  await lab.until(host, 'held')
  const later = await reportGuest(lab, 'host-001', UNKNOWN)
  await lab.journal.clock.advance(1000)
  const holder = { id: host, type: 'host', subject: 'host-001', status: 'held' }
  expect(await lab.desk.show(later)).toMatchObject({ status: 'pending', waitsFor: holder })
  await lab.journal.clock.advance(lab.policy.retryAfterMs)
  expect(await lab.desk.show(guest)).toMatchObject({ status: 'waiting', waitsFor: holder })
  expect(await lab.desk.show(host)).toMatchObject({ waitsFor: null })
})

test('11.4 a retry is not made when HA of the segment was switched off during the pause', async () => {
  await using lab = await RecoveryLab.open()
  const guest = await reportGuest(lab, 'host-001', UNKNOWN)
  await lab.untilNotification(guest, 'error')
  await lab.journal.store.write((queries) => queries.updateTable('failover_segments').set({ enabled: 0 }).execute())
  await lab.untilNotification(guest, 'ignored')
  expect((await lab.status(guest)).message).toContain('is disabled')
  const told = lab.told.filter(({ resource }) => resource === 'notification').map(({ phase }) => phase)
  expect(told).toEqual(['start', 'error'])
})
