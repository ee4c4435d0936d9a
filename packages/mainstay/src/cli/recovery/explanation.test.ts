import { describe, expect, test } from 'vitest'

import type { Recovery } from '../../client/index.ts'
import { explainRecovery } from './explanation.ts'

const RECOVERY: Recovery = {
  id: 'r1',
  notificationUuid: 'n1',
  type: 'host',
  subject: 'host-001',
  status: 'completed',
  heldReason: null,
  waitsFor: null,
  createdAt: '2026-01-01T12:00:00.900Z',
  finishedAt: '2026-01-01T12:00:10.000Z',
  outcome: 'finished: 2 guests run elsewhere',
  timeline: [
    { phase: 'detect', at: '2026-01-01T12:00:00.000Z', durationMs: 900, text: 'heartbeats stopped' },
    { phase: 'decide', at: '2026-01-01T12:00:00.900Z', durationMs: 40, text: '2 decisions' },
    { phase: 'act', at: '2026-01-01T12:00:00.940Z', durationMs: 7000, text: '2 guests evacuated' },
    { phase: 'confirm', at: '2026-01-01T12:00:07.940Z', durationMs: 2060, text: '2 guests answer' },
  ],
  steps: [],
  decisions: [
    {
      at: '2026-01-01T12:00:00.910Z',
      rule: 'host report',
      inputs: { event: 'STOPPED', guests: [{ name: 'a' }, { name: 'b' }], none: [] },
      verdict: 'recover',
      reasons: ['the host stopped', 'its power is off'],
    },
  ],
}

test('says what was seen, which rule, which verdict, why, and where the time went', () => {
  expect(explainRecovery(RECOVERY, 0)).toBe(`The recovery of host host-001 is COMPLETED.
  outcome         finished: 2 guests run elsewhere
  recovery        r1
  notification    n1
  began           2026-01-01T12:00:00.900Z

What was decided, and why
  1. 12:00:00.910Z  rule host report: recover
       seen     event = STOPPED
                guests = 2: a, b
                none = []
       because  the host stopped
                its power is off

When
  detect   12:00:00.000Z          900 ms  heartbeats stopped
  decide   12:00:00.900Z           40 ms  2 decisions
  act      12:00:00.940Z           7.0 s  2 guests evacuated  <- slowest
  confirm  12:00:07.940Z           2.1 s  2 guests answer
  Slowest part: act, 7.0 s of 10.0 s in all (70 %).
`)
})

describe('what can be done', () => {
  test('a held recovery says why, and how to go on', () => {
    const text = explainRecovery({ ...RECOVERY, status: 'held', heldReason: 'no fence answers', finishedAt: null })
    expect(text).toContain('The recovery of host host-001 is HELD.\n  held because    no fence answers\n')
    expect(text).toContain('mainstay recovery retry r1')
    expect(text).toContain('mainstay fence host-001 --assert-dead')
    expect(text).toContain('mainstay recovery cancel r1')
  })

  test('nobody is told to fence a guest', () => {
    const text = explainRecovery({ ...RECOVERY, type: 'instance', status: 'held', finishedAt: null })
    expect(text).not.toContain('mainstay fence')
  })

  test('a failed recovery names the steps that failed', () => {
    const step = { key: 'evacuate/a', kind: 'act', state: 'failed', attempt: 2, at: '', finishedAt: null } as const
    const steps = [{ ...step, input: null, output: null, error: 'no host has room' }]
    const text = explainRecovery({ ...RECOVERY, status: 'failed', steps })
    expect(text).toContain('What failed\n  act evacuate/a, attempt 2: no host has room\n')
  })

  test('a failed one says when another report is taken, and that a host has to be off maintenance for it', () => {
    const failed: Recovery = { ...RECOVERY, status: 'failed' }
    const host = explainRecovery(failed)
    expect(host).toContain('mainstay host update SEGMENT host-001 --on-maintenance False')
    expect(host).toContain('mainstay notification create')
    const guest = explainRecovery({ ...failed, type: 'instance' })
    expect(guest).not.toContain('--on-maintenance')
    expect(guest).toContain('ha.duplicate_interval_ms (180 s unless configured otherwise)')
  })

  test('a completed one asks for nothing', () => {
    expect(explainRecovery(RECOVERY)).not.toContain('What now')
  })
})

describe('a recovery that still runs', () => {
  const running: Recovery = {
    ...RECOVERY,
    status: 'running',
    finishedAt: null,
    outcome: null,
    decisions: [],
    timeline: [
      { phase: 'detect', at: '2026-01-01T12:00:00.000Z', durationMs: 900, text: 'seen' },
      { phase: 'act', at: '2026-01-01T12:00:01.000Z', durationMs: null, text: '1 of 2' },
    ],
  }

  test('counts what lasts up to now', () => {
    const text = explainRecovery(running, Date.UTC(2026, 0, 1, 12, 0, 5))
    expect(text).toContain('No decision has been taken yet.')
    expect(text).toContain('4.0 s so far  1 of 2  <- slowest')
    expect(text).toContain('Slowest part: act, 4.0 s of 5.0 s in all (80 %).')
  })

  test('names the one that it waits for, and how to look at that', () => {
    const waitsFor = { id: 'r0', type: 'instance', subject: 'web', status: 'running' } as const
    const text = explainRecovery({ ...running, status: 'pending', timeline: [], waitsFor })
    expect(text).toContain(
      'is PENDING.\n  waits for       the recovery of instance web, which is running: r0\n  recovery        r1\n',
    )
    expect(text).toContain('mainstay recovery explain r0')
  })

  test('says that it is running where no time may be told', () => {
    const text = explainRecovery(running)
    expect(text).toMatch(/act +12:00:01\.000Z +running {2}1 of 2\n/)
    expect(text).toContain('Slowest part: detect, 900 ms.')
  })
})

test('a long input is cut, the record has it in full', () => {
  const decisions = [{ at: '', rule: 'r', inputs: { long: 'x'.repeat(1000) }, verdict: 'v', reasons: [] }]
  const longest = Math.max(
    ...explainRecovery({ ...RECOVERY, decisions })
      .split('\n')
      .map((line) => line.length),
  )
  expect(longest).toBeLessThan(200)
})
