import { describe, expect, test, vi } from 'vitest'

import type { FenceEvidence } from '../../compute/index.ts'
import { setNotificationStatus } from '../../ha/index.ts'
import { FenceFailedError, type Fence } from '../fencing/fence.ts'
import { RecoveryLab } from '../testing/recovery-lab.ts'

// Hours of a clock that is moved by hand take seconds on a busy machine.
vi.setConfig({ testTimeout: 60_000 })

/** A fence that sees nothing until it is told that it may. */
function blindFence(): Fence & { sees: boolean; asked: number } {
  const fence = {
    method: 'command' as const,
    sees: false,
    asked: 0,
    cutOff: async (host: string): Promise<readonly FenceEvidence[]> => {
      fence.asked += 1
      if (!fence.sees) throw new FenceFailedError(`The BMC of host ${host} does not answer.`)
      return []
    },
  }
  return fence
}

const evacuations = (lab: RecoveryLab): string[] => lab.accepted().filter((act) => act.startsWith('evacuate'))

/** Nothing ran twice at any moment, and every guest runs where the platform says. */
function expectNoDouble(lab: RecoveryLab): void {
  expect(lab.audit().doubles).toEqual([])
  expect(lab.audit().world.strays.size).toBe(0)
}

describe('a host that died (ha-api 12)', () => {
  test('12.1, 12.2 auto: its guests run elsewhere, it is out of service, every move is on record', async () => {
    await using lab = await RecoveryLab.open()
    const guests = lab.guestsOf('host-001')
    const id = await lab.lose('host-001')
    const recovery = await lab.until(id, 'completed')
    expect(await lab.status(id)).toEqual({ status: 'finished', message: null })
    expect(recovery).toMatchObject({ type: 'host', subject: 'host-001', outcome: expect.stringContaining('2 guests') })
    expect(await lab.host('host-001')).toMatchObject({ onMaintenance: true, reserved: false })
    expect(lab.compute.fleet.host('host-001').disabledReason).toBe('Masakari detected host failed.')
    for (const guest of guests) expect(lab.hostOf(guest)).not.toBe('host-001')
    const moves = await lab.moves(id)
    expect(moves).toHaveLength(2)
    for (const move of moves) {
      expect(move).toMatchObject({ status: 'succeeded', type: 'evacuation', sourceHost: 'host-001', message: null })
      expect(move.destHost).toBe(lab.hostOf(move.instanceUuid))
      expect(move.endTime!).toBeGreaterThan(move.startTime!)
    }
    expect([...lab.audit().evacuations.values()]).toEqual([1, 1])
    expectNoDouble(lab)
  })

  test('tells what was decided and how long each phase took', async () => {
    await using lab = await RecoveryLab.open()
    const id = await lab.lose('host-001')
    const { timeline, decisions, steps } = await lab.until(id, 'completed')
    expect(timeline.map(({ phase }) => phase)).toEqual(['detect', 'decide', 'prove', 'act', 'confirm'])
    expect(timeline.every(({ durationMs }) => durationMs !== null && durationMs >= 0)).toBe(true)
    expect(timeline[0]!.durationMs).toBe(1000)
    expect(decisions.map(({ rule, verdict }) => `${rule}: ${verdict}`)).toEqual([
      'host report (ha-api 12.1): recover',
      'recovery method (ha-api 12.2): any host',
      'fence methods of the host: simulated',
      'fence before restart (goals, principle 1): proved dead by simulated',
      'guests to evacuate (ha-api 12.4): evacuate 2, leave 0',
    ])
    expect(steps.filter(({ state }) => state !== 'done')).toEqual([])
    expect(lab.news.map(({ type }) => type)).toEqual(['recovery.ended'])
  })

  test('11.5 what was given up while another recovery of its host was held is not recovered any more', async () => {
    const fence = blindFence()
    await using lab = await RecoveryLab.open({ fences: () => [fence] })
    const first = await lab.lose('host-001')
    await lab.until(first, 'held')
    const second = await lab.notify('host-001')
    const { store, clock } = lab.journal
    await store.write((queries) => setNotificationStatus(queries, second, 'failed', { nowMs: clock.now() }))
    await lab.journal.cancel(first, 'a test')
    lab.engine.poke()
    const { outcome } = await lab.until(second, 'failed')
    expect(outcome).toContain('given up as too old')
    expect(await lab.status(second)).toEqual({ status: 'failed', message: null })
    expect(fence.asked).toBe(1)
  })

  test('18 its listeners are told how the notification fares and what becomes of the hosts', async () => {
    await using lab = await RecoveryLab.open({ method: 'reserved_host', reserved: ['host-004'] })
    const id = await lab.lose('host-001')
    await lab.until(id, 'completed')
    const told = lab.told.map(({ resource, action, phase, subject }) => {
      const { host } = subject.resource === 'host' ? subject : { host: undefined }
      const state = host === undefined ? '' : ` ${host.name} ${host.reserved} ${host.onMaintenance}`
      const status = subject.resource === 'notification' ? ` ${subject.notification.status}` : ''
      return `${resource}.${action}.${phase}${state}${status}`
    })
    expect(told).toEqual([
      'notification.process.start new',
      'host.update.start host-001 false false',
      'host.update.end host-001 false true',
      'host.update.start host-004 true false',
      'host.update.end host-004 false false',
      'notification.process.end running',
    ])
  })

  test('18 every attempt that fails is told as an error, the last one once', async () => {
    const fence = blindFence()
    await using lab = await RecoveryLab.open({ fences: () => [fence], policy: { holdTimeoutMs: 1000, attempts: 2 } })
    const id = await lab.lose('host-001')
    await lab.until(id, 'failed')
    const told = lab.told.filter(({ resource }) => resource === 'notification')
    expect(told.map(({ phase, fault }) => [phase, fault])).toEqual([
      ['start', null],
      ['error', expect.stringContaining('nobody proved host host-001 dead')],
      ['start', null],
      ['error', expect.stringContaining('nobody proved host host-001 dead')],
    ])
    expect(lab.told.filter(({ resource }) => resource === 'host')).toHaveLength(2)
  })

  test('16 shows the tasks with their lines, in workflow order, while it runs and afterwards', async () => {
    await using lab = await RecoveryLab.open()
    const id = await lab.lose('host-001')
    const isUnderWay = async (): Promise<boolean> => (await lab.moves(id)).some(({ status }) => status === 'ongoing')
    await lab.journal.untilTrue('guests are on their way', isUnderWay, 50)
    await lab.journal.clock.advance(100)
    const running = await lab.details(id)
    expect(running.find(({ name }) => name === 'EvacuateInstancesTask')).toMatchObject({
      state: 'RUNNING',
      progress: 0.5,
    })
    await lab.until(id, 'completed')
    const details = await lab.details(id)
    const names = [
      'DisableComputeServiceTask',
      'FenceHostTask',
      'PrepareHAEnabledInstancesTask',
      'EvacuateInstancesTask',
    ]
    expect(details.map(({ name, state, progress }) => [name, state, progress])).toEqual(
      names.map((name) => [name, 'SUCCESS', 1]),
    )
    const prepared = details.find(({ name }) => name === 'PrepareHAEnabledInstancesTask')!
    expect(prepared.steps.map(({ progress }) => progress)).toEqual([0, 0.3, 0.6, 0.7, 0.8, 1])
  })

  test.each([
    ['no host_status', { event: 'STOPPED' }, 'ignored'],
    ['an unknown host', { event: 'STOPPED', host_status: 'UNKNOWN' }, 'ignored'],
    ['a host that started', { event: 'STARTED', host_status: 'NORMAL' }, 'finished'],
  ] as const)('12.1 does nothing about %s', async (_what, payload, status) => {
    await using lab = await RecoveryLab.open()
    const id = await lab.notify('host-001', { payload })
    await lab.untilNotification(id, status)
    expect(await lab.status(id)).toEqual({ status, message: null })
    expect(await lab.host('host-001')).toMatchObject({ onMaintenance: false })
    expect(lab.fleetLog()).toHaveLength(1)
  })

  test('11.2 is ignored, with a message, where the segment is disabled', async () => {
    await using lab = await RecoveryLab.open({ enabled: false })
    const id = await lab.lose('host-001')
    await lab.untilNotification(id, 'ignored')
    expect((await lab.status(id)).message).toContain('disabled')
    expect(lab.fleetLog().map(({ type }) => type)).toEqual(['fleet', 'host-down'])
    expect(await lab.host('host-001')).toMatchObject({ onMaintenance: false })
  })

  test('12.4 is finished when it has no guests, and its task shows as reverted', async () => {
    await using lab = await RecoveryLab.open({ size: { guests: 0 } })
    const id = await lab.lose('host-001')
    await lab.untilNotification(id, 'finished')
    expect(await lab.moves(id)).toEqual([])
    expect((await lab.details(id)).map(({ state }) => state)).toEqual(['REVERTED', 'REVERTED', 'REVERTED'])
    expect((await lab.details(id)).at(-1)!.steps.at(-1)).toMatchObject({
      progress: 1,
      message: expect.stringMatching(/^Skipped/),
    })
  })
})

describe('recovery methods (ha-api 12.2)', () => {
  test('reserved_host takes the newest reserved host, enables it and does not give it back', async () => {
    await using lab = await RecoveryLab.open({ method: 'reserved_host', reserved: ['host-002', 'host-003'] })
    const guests = lab.guestsOf('host-001')
    const id = await lab.lose('host-001')
    await lab.untilNotification(id, 'finished')
    expect(guests.map((guest) => lab.hostOf(guest))).toEqual(['host-003', 'host-003'])
    expect(await lab.host('host-003')).toMatchObject({ reserved: false, onMaintenance: false })
    expect(await lab.host('host-002')).toMatchObject({ reserved: true })
  })

  test('a reserved host that another recovery has is passed over, and no move is left open for it', async () => {
    await using lab = await RecoveryLab.open({ method: 'reserved_host', reserved: ['host-002', 'host-003'] })
    const { uuid } = await lab.host('host-003')
    await lab.journal.store.write(async (queries) => {
      const lock = { name: `reserved-host:${uuid}`, workflow_id: 'another', at: 0 }
      await queries.insertInto('workflow_locks').values(lock).execute()
    })
    const guests = lab.guestsOf('host-001')
    const id = await lab.lose('host-001')
    await lab.untilNotification(id, 'finished')
    expect(guests.map((guest) => lab.hostOf(guest))).toEqual(['host-002', 'host-002'])
    expect((await lab.moves(id)).map(({ status }) => status)).toEqual(['succeeded', 'succeeded'])
    expect(await lab.host('host-003')).toMatchObject({ reserved: true })
  })

  test('two hosts that die at once never get the same reserved host', async () => {
    await using lab = await RecoveryLab.open({ method: 'reserved_host', reserved: ['host-003', 'host-004'] })
    const guests = [lab.guestsOf('host-001'), lab.guestsOf('host-002')]
    const ids = [await lab.lose('host-001'), await lab.lose('host-002')]
    for (const id of ids) await lab.untilNotification(id, 'finished')
    const targets = guests.map((of) => [...new Set(of.map((guest) => lab.hostOf(guest)))])
    expect(targets.flat().toSorted()).toEqual(['host-003', 'host-004'])
    expectNoDouble(lab)
  })

  test('11.4 without a reserved host fails twice, without touching the platform', async () => {
    await using lab = await RecoveryLab.open({ method: 'reserved_host' })
    const id = await lab.lose('host-001')
    await lab.untilNotification(id, 'error')
    const erredAt = lab.journal.clock.now()
    await lab.untilNotification(id, 'failed')
    expect(lab.journal.clock.now() - erredAt).toBeGreaterThanOrEqual(119_000)
    expect((await lab.until(id, 'failed')).outcome).toContain('no reserved host')
    expect(lab.fleetLog().map(({ type }) => type)).toEqual(['fleet', 'host-down'])
  })

  test.each([
    ['auto_priority', ['host-004', 'host-004']],
    ['rh_priority', ['host-004', 'host-004']],
  ] as const)('%s falls back when its first way fails', async (method, targets) => {
    const reserved = method === 'auto_priority' ? ['host-004'] : []
    await using lab = await RecoveryLab.open({ method, reserved })
    const guests = lab.guestsOf('host-001')
    if (method === 'auto_priority') {
      // Every try of the first way is refused.
      for (const subject of guests) lab.compute.faults.order('evacuate', 'refuse', { subject })
    } else {
      for (const name of ['host-002', 'host-003']) lab.compute.fleet.killHost(name)
    }
    const id = await lab.lose('host-001')
    await lab.untilNotification(id, 'finished')
    expect(guests.map((guest) => lab.hostOf(guest))).toEqual(targets)
    const states = (await lab.moves(id)).map(({ status }) => status)
    expect(states).toEqual(
      method === 'auto_priority' ? ['failed', 'failed', 'succeeded', 'succeeded'] : ['succeeded', 'succeeded'],
    )
    const flows = new Set((await lab.details(id)).map(({ state }) => state))
    expect([...flows]).toEqual(method === 'auto_priority' ? ['REVERTED', 'SUCCESS'] : ['SUCCESS'])
  })
})

describe('a guest that cannot be evacuated (ha-api 11.4, 12.5)', () => {
  test('makes the notification error, is tried again alone after the pause, and then all is well', async () => {
    await using lab = await RecoveryLab.open()
    const guests = lab.guestsOf('host-001')
    lab.compute.faults.order('evacuate', 'refuse', { subject: guests[0]! })
    const id = await lab.lose('host-001')
    await lab.untilNotification(id, 'error')
    const states = async (): Promise<string[]> =>
      (await lab.moves(id)).map(({ instanceUuid, status }) => `${guests.indexOf(instanceUuid)} ${status}`).toSorted()
    expect(await states()).toEqual(['0 failed', '1 succeeded'])
    expect((await lab.moves(id)).find(({ status }) => status === 'failed')!.message).toContain('refused evacuate')
    await lab.untilNotification(id, 'finished')
    expect(await states()).toEqual(['0 failed', '0 succeeded', '1 succeeded'])
    expect([...lab.audit().evacuations.values()]).toEqual([1, 1])
    expectNoDouble(lab)
  })

  test('for good fails the notification, with the words of the platform', async () => {
    await using lab = await RecoveryLab.open()
    const [guest] = lab.guestsOf('host-001')
    lab.compute.faults.order('evacuate', 'refuse', { subject: guest!, times: 100 })
    const id = await lab.lose('host-001')
    await lab.untilNotification(id, 'failed')
    const { outcome, status } = await lab.until(id, 'failed')
    expect(outcome).toContain('1 of 2 guests could not be evacuated')
    expect(outcome).toContain('The simulated platform refused evacuate')
    expect(status).toBe('failed')
    expect((await lab.moves(id)).map((move) => `${move.status}`).sort()).toEqual(['failed', 'failed', 'succeeded'])
    expect((await lab.details(id)).map(({ state }) => state)).toEqual(Array.from({ length: 8 }, () => 'REVERTED'))
  })

  test('that went into error on the way runs in the end: it is not stopped because our own attempt broke it', async () => {
    await using lab = await RecoveryLab.open()
    const [guest] = lab.guestsOf('host-001')
    lab.compute.faults.order('evacuate', 'fail-later', { subject: guest! })
    const id = await lab.lose('host-001')
    await lab.untilNotification(id, 'error')
    expect(lab.compute.fleet.guest(guest!).state).toBe('error')
    await lab.untilNotification(id, 'finished')
    expect(lab.compute.fleet.guest(guest!)).toMatchObject({ state: 'active', runs: true })
    expect(lab.accepted().filter((act) => act.startsWith('stop'))).toEqual([])
    expectNoDouble(lab)
  })

  test('in time is not evacuated a second time while the first evacuation goes on', async () => {
    await using lab = await RecoveryLab.open({
      policy: { evacuationTimeoutMs: 2000, retryAfterMs: 100 },
      latency: { evacuateMs: 10_000 },
    })
    const id = await lab.lose('host-001')
    await lab.untilNotification(id, 'failed')
    await lab.journal.clock.advance(10_000)
    expect(evacuations(lab)).toHaveLength(2)
    expect([...lab.audit().evacuations.values()]).toEqual([1, 1])
    expectNoDouble(lab)
  })

  test.each([
    ['stays off', false, 'failed', '1 of 2 guests could not be evacuated'],
    ['runs again by the next attempt', true, 'finished', 'finished: 2 guests of host host-001 run elsewhere'],
  ] as const)(
    '12.5 that left and died before it was seen to run is not forgotten by the next attempt: it %s',
    async (_what, again, status, outcome) => {
      await using lab = await RecoveryLab.open({ policy: { evacuationTimeoutMs: 4000 } })
      const { fleet } = lab.compute
      const guest = lab.guestsOf('host-001')[0]!
      let killed = false
      using _watching = lab.compute.watch(({ instance, host }) => {
        if (killed || instance !== guest || host === 'host-001') return
        killed = true
        fleet.killGuest(guest)
      })
      const id = await lab.lose('host-001')
      await lab.untilNotification(id, 'error')
      expect(lab.hostOf(guest)).not.toBe('host-001')
      if (again) {
        await lab.compute.start(guest, { signal: new AbortController().signal, key: 'by hand', fence: 1 })
      }
      await lab.untilNotification(id, status)
      expect((await lab.until(id, status === 'failed' ? 'failed' : 'completed')).outcome).toContain(outcome)
      expect([...lab.audit().evacuations.values()]).toEqual([1, 1])
    },
  )

  test('that was stopped is stopped afterwards too, and the outcome names it', async () => {
    await using lab = await RecoveryLab.open({ size: { stoppedShare: 1 } })
    const guests = lab.guestsOf('host-001')
    const id = await lab.lose('host-001')
    await lab.untilNotification(id, 'finished')
    for (const guest of guests) {
      expect(lab.compute.fleet.guest(guest)).toMatchObject({ state: 'stopped', runs: false })
      expect(lab.hostOf(guest)).not.toBe('host-001')
    }
    const { outcome } = await lab.until(id, 'completed')
    expect(outcome).toContain('0 guests of host host-001 run elsewhere; 2 were moved and do not run, as before: ')
  })

  test('because it is bound to its host is left, with the reason', async () => {
    await using lab = await RecoveryLab.open({ size: { boundShare: 1 } })
    const id = await lab.lose('host-001')
    await lab.untilNotification(id, 'finished')
    const { decisions } = await lab.until(id, 'completed')
    const [choice] = decisions.filter(({ rule }) => rule.startsWith('guests to evacuate'))
    expect(choice!.reasons).toHaveLength(2)
    expect(choice!.reasons[0]).toContain('cannot run elsewhere: It uses a PCI device')
    expect(evacuations(lab)).toEqual([])
  })
})

describe('a request that was done although its answer never came', () => {
  test.each(['evacuate', 'disable-host'] as const)('%s is never done twice', async (call) => {
    await using lab = await RecoveryLab.open()
    lab.compute.faults.order(call, 'time-out-after-success', { times: 2 })
    const id = await lab.lose('host-001')
    await lab.untilNotification(id, 'finished')
    expect(evacuations(lab)).toHaveLength(2)
    expect([...lab.audit().evacuations.values()]).toEqual([1, 1])
    expectNoDouble(lab)
    expect((await lab.moves(id)).map(({ status }) => status)).toEqual(['succeeded', 'succeeded'])
  })

  test('nor is an evacuation when the engine dies at any moment of it', async () => {
    for (const afterMs of [1, 200, 450, 700, 1500, 2600]) {
      await using lab = await RecoveryLab.open()
      const id = await lab.lose('host-001')
      await lab.journal.clock.advance(afterMs)
      await lab.restart()
      await lab.untilNotification(id, 'finished')
      expect([...lab.audit().evacuations.values()]).toEqual([1, 1])
      expectNoDouble(lab)
    }
  })

  test('a platform that does not answer for a while does not make a move fail', async () => {
    await using lab = await RecoveryLab.open()
    const [guest] = lab.guestsOf('host-001')
    const id = await lab.lose('host-001')
    await lab.journal.untilTrue('it is on its way', () => evacuations(lab).length === 2, 50)
    lab.compute.faults.order('ask', 'unavailable', { subject: guest!, times: 3 })
    await lab.untilNotification(id, 'finished')
    expect((await lab.moves(id)).map(({ status }) => status)).toEqual(['succeeded', 'succeeded'])
  })
})

describe('a host that is not proved dead (goals, principles 1 and 2)', () => {
  test('is held with what is missing, and nothing is asked of the platform for its guests', async () => {
    const fence = blindFence()
    await using lab = await RecoveryLab.open({ fences: () => [fence] })
    const id = await lab.lose('host-001')
    const { heldReason, timeline } = await lab.until(id, 'held')
    expect(heldReason).toContain('The BMC of host host-001 does not answer.')
    expect(timeline.find(({ phase }) => phase === 'prove')!.durationMs).toBeNull()
    await lab.journal.clock.advance(120_000)
    expect(lab.accepted()).toEqual([])
    expect(await lab.moves(id)).toEqual([])
    expect((await lab.status(id)).status).toBe('running')
    expect(lab.news).toMatchObject([{ type: 'recovery.held', severity: 'critical', host: 'host-001' }])
  })

  test('is held also when a fence says nothing against it and has seen nothing', async () => {
    const fence = blindFence()
    fence.sees = true
    await using lab = await RecoveryLab.open({ fences: () => [fence] })
    const id = await lab.lose('host-001')
    expect((await lab.until(id, 'held')).heldReason).toContain('command: it saw nothing')
    expect(lab.accepted()).toEqual([])
  })

  test('goes on when a named person asserts its death, which is on record', async () => {
    await using lab = await RecoveryLab.open({ fences: () => [blindFence()] })
    const id = await lab.lose('host-001')
    await lab.until(id, 'held')
    await lab.desk.assertDead({ host: 'host-001', reason: 'pulled the plug', by: 'ops' })
    const { decisions, timeline } = await lab.until(id, 'completed')
    expect((await lab.status(id)).status).toBe('finished')
    const [asserted] = decisions.filter(({ rule }) => rule.startsWith('a named person'))
    expect(asserted).toMatchObject({ verdict: 'proved dead by asserted', reasons: ['ops: pulled the plug'] })
    expect(timeline.find(({ phase }) => phase === 'prove')!.text).toContain('person')
    expectNoDouble(lab)
  })

  test('is looked at again on request', async () => {
    const fence = blindFence()
    await using lab = await RecoveryLab.open({ fences: (each) => [fence, each.powerFence()] })
    lab.compute.faults.order('read-power', 'refuse')
    const id = await lab.lose('host-001')
    expect((await lab.until(id, 'held')).heldReason).toMatch(/command: .*; simulated: .*refused read-power/)
    await lab.desk.retry(id, { reason: 'the BMC is back', by: 'ops' })
    await lab.untilNotification(id, 'finished')
    expect(fence.asked).toBe(2)
  })

  test('is looked at again by itself, ever more seldom, and goes on as soon as its death can be seen', async () => {
    const fence = blindFence()
    await using lab = await RecoveryLab.open({
      fences: () => [fence],
      policy: { lookAgainMs: 10_000, lookAgainMaxMs: 40_000 },
    })
    const id = await lab.lose('host-001')
    await lab.until(id, 'held')
    const looked: number[] = []
    for (let asked = 1; asked <= 4; asked += 1) {
      const before = lab.journal.clock.now()
      await lab.journal.untilTrue('it is looked at again', () => fence.asked > asked, 500)
      looked.push(Math.round((lab.journal.clock.now() - before) / 10_000))
    }
    expect(looked).toEqual([1, 2, 4, 4])
    expect(lab.accepted()).toEqual([])
    expect(lab.news.map(({ type }) => type)).toEqual(['recovery.held'])
    lab.fences = [lab.powerFence()]
    fence.sees = true
    await lab.untilNotification(id, 'finished')
    expectNoDouble(lab)
  })

  test('hears a person also while it is looked at again', async () => {
    const fence = blindFence()
    const looking = Promise.withResolvers<void>()
    const told = Promise.withResolvers<void>()
    const slow: Fence = {
      method: 'command',
      cutOff: async (host, options) => {
        if (fence.asked === 1) {
          looking.resolve()
          await told.promise
        }
        return await fence.cutOff(host, options)
      },
    }
    await using lab = await RecoveryLab.open({ fences: () => [slow], policy: { lookAgainMs: 1000 } })
    const id = await lab.lose('host-001')
    await lab.until(id, 'held')
    await lab.journal.clock.advance(2000)
    lab.engine.poke()
    await looking.promise
    await lab.desk.assertDead({ host: 'host-001', reason: 'pulled the plug', by: 'ops' })
    told.resolve()
    await lab.untilNotification(id, 'finished')
    const { decisions } = await lab.until(id, 'completed')
    expect(decisions.some(({ verdict }) => verdict === 'proved dead by asserted')).toBe(true)
  })

  test('is looked at again with fences and a policy that were configured while it was held', async () => {
    await using lab = await RecoveryLab.open({ fences: () => [] })
    const id = await lab.lose('host-001')
    expect((await lab.until(id, 'held')).heldReason).toContain('no fence method is configured')
    lab.fences = [lab.powerFence()]
    lab.policy = { ...lab.policy, fenceValidityMs: 1234, hostHaMetadataKey: 'other', retryAfterMs: 5 }
    await lab.restart()
    await lab.desk.retry(id, { reason: 'configured a fence', by: 'ops' })
    await lab.untilNotification(id, 'finished')
    expectNoDouble(lab)
  })

  test('is given up when nobody comes, with its guests untouched', async () => {
    await using lab = await RecoveryLab.open({
      fences: () => [blindFence()],
      policy: { holdTimeoutMs: 10_000, attempts: 1 },
    })
    const id = await lab.lose('host-001')
    await lab.untilNotification(id, 'failed')
    expect((await lab.until(id, 'failed')).outcome).toContain('nobody proved host host-001 dead in time')
    expect(lab.accepted()).toEqual([])
  })

  test('is cancelled while it is held: failed, with nothing done', async () => {
    await using lab = await RecoveryLab.open({ fences: () => [blindFence()] })
    const id = await lab.lose('host-001')
    await lab.until(id, 'held')
    await lab.desk.cancel(id, { reason: 'a drill', by: 'ops' })
    expect((await lab.until(id, 'cancelled')).outcome).toContain('a drill (ops)')
    expect((await lab.status(id)).status).toBe('failed')
    expect(lab.accepted()).toEqual([])
  })

  test('a proof that is too old when it comes to acting is refused by the platform', async () => {
    await using lab = await RecoveryLab.open({ policy: { fenceValidityMs: 5000, attempts: 1 } })
    const [guest] = lab.guestsOf('host-001')
    // The question before the evacuation goes unanswered until the proof has expired.
    lab.compute.faults.order('ask', 'slow', { subject: guest! })
    const id = await lab.lose('host-001')
    await lab.untilNotification(id, 'failed')
    const failed = (await lab.moves(id)).filter(({ status }) => status === 'failed')
    expect(failed).toMatchObject([{ instanceUuid: guest, message: expect.stringContaining('expired') }])
    expect(evacuations(lab)).toHaveLength(1)
  })

  test('a proof that nobody was there to read for long is not used: the host is looked at again', async () => {
    await using lab = await RecoveryLab.open({ policy: { fenceValidityMs: 5000 } })
    let looks = 0
    const fence = lab.powerFence()
    const dying = Promise.withResolvers<void>()
    lab.fences = [
      {
        method: 'simulated',
        cutOff: async (host, options) => {
          looks += 1
          const evidence = await fence.cutOff(host, options)
          if (looks === 1) await lab.journal.clock.sleep(20_000, options)
          dying.resolve()
          return evidence
        },
      },
    ]
    const id = await lab.lose('host-001')
    await lab.untilNotification(id, 'finished')
    expect(looks).toBe(2)
    const { decisions } = await lab.until(id, 'completed')
    expect(decisions.map(({ verdict }) => verdict)).toEqual(
      expect.arrayContaining(['not proved dead', 'proved dead by simulated']),
    )
  })

  test('a proof that came just before its reader was away for long is looked for once more, after the time to hold too', async () => {
    await using lab = await RecoveryLab.open({
      policy: { fenceValidityMs: 5000, lookAgainMs: 10_000, holdTimeoutMs: 40_000, attempts: 1 },
    })
    let looks = 0
    const fence = lab.powerFence()
    lab.fences = [
      {
        method: 'simulated',
        cutOff: async (host, options) => {
          looks += 1
          if (looks === 1) throw new FenceFailedError('its power switch did not answer')
          const evidence = await fence.cutOff(host, options)
          if (looks === 2) await lab.journal.clock.sleep(50_000, options)
          return evidence
        },
      },
    ]
    const id = await lab.lose('host-001')
    await lab.untilNotification(id, 'finished')
    expect(looks).toBe(3)
  })

  test('proofs that are too old each time hold it like none, with pauses and an end', async () => {
    await using lab = await RecoveryLab.open({
      policy: { fenceValidityMs: 5000, lookAgainMs: 10_000, holdTimeoutMs: 60_000, attempts: 1 },
    })
    let looks = 0
    const fence = lab.powerFence()
    lab.fences = [
      {
        method: 'simulated',
        cutOff: async (host, options) => {
          looks += 1
          const evidence = await fence.cutOff(host, options)
          await lab.journal.clock.sleep(10_000, options)
          return evidence
        },
      },
    ]
    const id = await lab.lose('host-001')
    const { heldReason } = await lab.until(id, 'held')
    expect(looks).toBe(2)
    expect(heldReason).toContain('what it saw is')
    await lab.untilNotification(id, 'failed')
    expect((await lab.until(id, 'failed')).outcome).toContain('nobody proved host host-001 dead in time')
    expect(looks).toBeLessThanOrEqual(4)
    expect(lab.accepted()).toEqual([])
  })
})

test('a recovery that is cancelled on the way leaves no move open', async () => {
  await using lab = await RecoveryLab.open()
  const id = await lab.lose('host-001')
  const isUnderWay = async (): Promise<boolean> => (await lab.moves(id)).some(({ status }) => status === 'ongoing')
  await lab.journal.untilTrue('guests are on their way', isUnderWay, 50)
  await lab.desk.cancel(id, { reason: 'enough', by: 'ops' })
  await lab.until(id, 'cancelled')
  const moves = await lab.moves(id)
  expect(moves.map(({ status }) => status)).toEqual(['failed', 'failed'])
  expect(moves[0]!.message).toContain('enough (ops)')
  expect(moves.every(({ endTime }) => endTime !== null)).toBe(true)
})
