import { expect, test } from 'vitest'

import { ManualClock } from '../core/clock.ts'
import type { MainstayEvent, Publish } from '../core/event.ts'
import type { Logger } from '../core/logging.ts'
import { silentLogger } from '../core/logging.ts'
import type { ReconcileDecision, ReconcileReport } from './reconcile/index.ts'
import { ReconcileTeller } from './tell-reconcile.ts'

function reportOf(...ids: readonly string[]): ReconcileReport {
  const decisions = ids.map((providerId): ReconcileDecision => {
    const tags = { installation: 'ours', pool: 'g', vmName: 'vm-1', createdAt: 0 }
    const machine = { providerId, name: 'vm-1', address: null, status: 'running', tags, data: {} } as const
    return { decide: 'report_machine', provider: 'zone-b', machine, because: 'claimed' }
  })
  return { startedAt: 0, endedAt: 0, decisions, carriedOut: [] }
}

test('C10 a machine that another provider owns is told of once, and again when it comes back', () => {
  const counted: string[] = []
  const errors: string[] = []
  const logger: Logger = silentLogger()
  logger.error = (_fields: unknown, text?: string) => void errors.push(text ?? '')
  const metrics = {
    leak: (...labels: readonly string[]) => void counted.push(labels.join(' ')),
    reconcileSkipped: () => {},
  }
  const told: MainstayEvent[] = []
  const events: Publish = { publish: (event) => void told.push(event) }
  const clock = new ManualClock()
  const teller = new ReconcileTeller({ metrics, logger, clock, events })
  for (const ids of [['i-1'], ['i-1'], [], ['i-1', 'i-2']]) teller.tell(reportOf(...ids))
  expect(counted).toEqual(['zone-b claimed reported', 'zone-b claimed reported', 'zone-b claimed reported'])
  expect(errors.map((text) => /machine (i-\d)/.exec(text)?.[1])).toEqual(['i-1', 'i-1', 'i-2'])
  // In the stream as often, and the one that came back under the id of before: the log keeps one.
  expect(told.map(({ payload }) => payload['provider_id'])).toEqual(['i-1', 'i-1', 'i-2'])
  expect([told[1]!.id === told[0]!.id, told[2]!.id === told[0]!.id]).toEqual([true, false])
  expect(told[0]).toMatchObject({
    type: 'pool.machine.claimed',
    severity: 'error',
    occurredAt: clock.now(),
    resourceId: 'vm-1',
    projectId: null,
    payload: { vm: 'vm-1', provider: 'zone-b', group: 'g', reason: 'claimed' },
  })
})

test('C10 a provider that could not be asked does not end what was told of its machines', () => {
  const told: string[] = []
  const logger: Logger = silentLogger()
  logger.error = (_fields: unknown, text?: string) => void told.push(text ?? '')
  const events: Publish = { publish: ({ id }) => void told.push(id) }
  const metrics = { leak: () => {}, reconcileSkipped: () => {} }
  const teller = new ReconcileTeller({ metrics, logger, clock: new ManualClock(), events })
  const skipped = (provider: string): ReconcileReport => {
    const decisions = [{ decide: 'skip_provider', provider, because: 'it is away' } as const]
    return { startedAt: 0, endedAt: 0, decisions, carriedOut: [] }
  }
  for (const report of [reportOf('i-1'), skipped('zone-b'), skipped('zone-b'), reportOf('i-1')]) teller.tell(report)
  expect(told, 'the log and the stream, once').toHaveLength(2)
  teller.tell(skipped('another'))
  teller.tell(reportOf('i-1'))
  expect(told, 'the provider was asked, and had none: it came back').toHaveLength(4)
})

test('C10 another process tells of the same machine under the same id, so that the stream keeps one', () => {
  const ids = [1, 2].map(() => {
    const told: string[] = []
    const metrics = { leak: () => {}, reconcileSkipped: () => {} }
    const events: Publish = { publish: ({ id }) => void told.push(id) }
    new ReconcileTeller({ metrics, logger: silentLogger(), clock: new ManualClock(), events }).tell(reportOf('i-1'))
    return told
  })
  expect(ids[0]).toHaveLength(1)
  expect(ids[1]).toEqual(ids[0])
})
