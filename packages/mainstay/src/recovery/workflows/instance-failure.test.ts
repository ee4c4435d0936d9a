import { describe, expect, test, vi } from 'vitest'

import { RecoveryLab, type LabOptions } from '../testing/recovery-lab.ts'

// Hours of a clock that is moved by hand take seconds on a busy machine.
vi.setConfig({ testTimeout: 60_000 })

const EVENT = { event: 'LIFECYCLE', vir_domain_event: 'STOPPED_FAILED' }
const UNKNOWN = 'dddddddd-0000-4000-8000-000000000000'

/** A guest with or without the HA mark, and its host. */
function guestOf(lab: RecoveryLab, marked: boolean): { uuid: string; host: string } {
  const found = [...lab.compute.fleet.world.guests.values()].find(
    ({ metadata }) => (metadata['HA_Enabled'] === 'True') === marked,
  )
  if (found === undefined) throw new Error('The fleet has no such guest.')
  return { uuid: found.uuid, host: found.host.name }
}

async function open(options: LabOptions = {}): Promise<RecoveryLab> {
  return await RecoveryLab.open(options)
}

async function report(
  lab: RecoveryLab,
  { uuid, host }: { uuid: string; host: string },
  event = EVENT,
): Promise<string> {
  return await lab.notify(host, { type: 'VM', payload: { ...event, instance_uuid: uuid } })
}

describe('a guest that failed (ha-api 13)', () => {
  test.each([
    ['as it is', (uuid: string) => uuid],
    ['without dashes, in capitals and braces', (uuid: string) => `{${uuid.replaceAll('-', '').toUpperCase()}}`],
  ])('13.2 is stopped and started again where it is; its id written %s', async (_how, write) => {
    await using lab = await open()
    const guest = guestOf(lab, true)
    const id = await report(lab, { ...guest, uuid: write(guest.uuid) })
    const { timeline } = await lab.until(id, 'completed')
    expect((await lab.status(id)).status).toBe('finished')
    expect(lab.accepted()).toEqual([`stop ${guest.uuid}`, `start ${guest.uuid}`])
    expect(lab.compute.fleet.guest(guest.uuid)).toMatchObject({ state: 'active', runs: true })
    expect(timeline.map(({ phase }) => phase)).toEqual(['detect', 'decide', 'act', 'confirm'])
    const names = ['StopInstanceTask', 'StartInstanceTask', 'ConfirmInstanceActiveTask']
    expect((await lab.details(id)).map(({ name, state, progress }) => [name, state, progress])).toEqual(
      names.map((name) => [name, 'SUCCESS', 1]),
    )
    expect(await lab.host(guest.host)).toMatchObject({ onMaintenance: false })
    expect(await lab.moves(id)).toEqual([])
  })

  test('that is stopped already is only started', async () => {
    await using lab = await open()
    const guest = guestOf(lab, true)
    lab.compute.fleet.killGuest(guest.uuid)
    const id = await report(lab, guest)
    await lab.untilNotification(id, 'finished')
    expect(lab.accepted()).toEqual([`start ${guest.uuid}`])
  })

  test('13.2 without the HA mark is not touched, and its task shows as reverted', async () => {
    await using lab = await open()
    const guest = guestOf(lab, false)
    const id = await report(lab, guest)
    const { outcome } = await lab.until(id, 'completed')
    expect((await lab.status(id)).status).toBe('finished')
    expect(outcome).toContain('lacks the mark HA_Enabled')
    expect(lab.accepted()).toEqual([])
    expect(await lab.details(id)).toMatchObject([{ name: 'StopInstanceTask', state: 'REVERTED', progress: 1 }])
  })

  test('13.2 without the HA mark is restarted where all guests are to be', async () => {
    await using lab = await open({ policy: { processAllInstances: true } })
    const guest = guestOf(lab, false)
    await lab.untilNotification(await report(lab, guest), 'finished')
    expect(lab.accepted()).toHaveLength(2)
  })

  test.each(['paused', 'rescued'] as const)('13.2 that is %s is left to whoever put it there', async (state) => {
    await using lab = await open()
    const guest = guestOf(lab, true)
    lab.compute.fleet.guest(guest.uuid).state = state
    await lab.untilNotification(await report(lab, guest), 'ignored')
    expect(lab.accepted()).toEqual([])
  })

  test('13.1 an event that is no failure is ignored', async () => {
    await using lab = await open()
    const guest = guestOf(lab, true)
    const id = await report(lab, guest, { event: 'LIFECYCLE', vir_domain_event: 'STARTED' })
    await lab.untilNotification(id, 'ignored')
    expect(lab.fleetLog()).toHaveLength(1)
    expect(await lab.details(id)).toEqual([])
  })

  test('that runs when it comes to starting it is not started again', async () => {
    await using lab = await open({ latency: { stopMs: 0, startMs: 0 } })
    const guest = guestOf(lab, true)
    lab.compute.faults.order('start', 'unavailable', { times: 1 })
    const id = await report(lab, guest)
    await lab.journal.untilTrue('it is stopped', () => lab.compute.fleet.guest(guest.uuid).state === 'stopped', 1)
    const signal = AbortSignal.timeout(60_000)
    await lab.compute.start(guest.uuid, { key: 'by a person', fence: 0, signal }).catch(async () => {
      await lab.compute.start(guest.uuid, { key: 'by a person', fence: 0, signal })
    })
    await lab.untilNotification(id, 'finished')
    expect(lab.accepted().filter((act) => act.startsWith('start'))).toHaveLength(1)
    expect(lab.audit().starts.get(guest.uuid)).toBe(1)
  })

  test.each(['start', 'stop'] as const)(
    'a %s that was done although its answer never came is not repeated',
    async (call) => {
      await using lab = await open()
      const guest = guestOf(lab, true)
      lab.compute.faults.order(call, 'time-out-after-success')
      await lab.untilNotification(await report(lab, guest), 'finished')
      expect(lab.accepted()).toEqual([`stop ${guest.uuid}`, `start ${guest.uuid}`])
      expect(lab.audit().starts.get(guest.uuid)).toBe(1)
    },
  )

  test('11.4 whose start is refused is tried again once, then failed in the words of the platform', async () => {
    await using lab = await open()
    const guest = guestOf(lab, true)
    lab.compute.faults.order('start', 'refuse', { times: 2 })
    const id = await report(lab, guest)
    await lab.untilNotification(id, 'error')
    await lab.untilNotification(id, 'failed')
    expect((await lab.until(id, 'failed')).outcome).toContain('The simulated platform refused start')
    const details = await lab.details(id)
    expect(details.every(({ state }) => state === 'REVERTED')).toBe(true)
    expect(lab.accepted()).toEqual([`stop ${guest.uuid}`])
  })

  test('that nobody knows ends failed and says so', async () => {
    await using lab = await open()
    const id = await report(lab, { uuid: UNKNOWN, host: 'host-001' })
    await lab.untilNotification(id, 'failed')
    expect((await lab.until(id, 'failed')).outcome).toContain(`There is no guest ${UNKNOWN}`)
  })

  test('that does not come up in time is error, then failed', async () => {
    await using lab = await open({ policy: { powerOnTimeoutMs: 5000, retryAfterMs: 1000 } })
    const guest = guestOf(lab, true)
    lab.compute.faults.order('start', 'lie', { times: 2 })
    const id = await report(lab, guest)
    await lab.untilNotification(id, 'failed')
    expect((await lab.until(id, 'failed')).outcome).toContain('took longer than 5000 ms')
  })

  test('is restarted once, whenever the engine dies', async () => {
    for (const afterMs of [1, 300, 520, 800, 1010]) {
      await using lab = await open()
      const guest = guestOf(lab, true)
      const id = await report(lab, guest)
      await lab.journal.clock.advance(afterMs)
      await lab.restart()
      await lab.untilNotification(id, 'finished')
      expect(lab.accepted()).toEqual([`stop ${guest.uuid}`, `start ${guest.uuid}`])
    }
  })
})
