import { expect, test } from 'vitest'

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
  const teller = new ReconcileTeller({ metrics, logger })
  for (const ids of [['i-1'], ['i-1'], [], ['i-1', 'i-2']]) teller.tell(reportOf(...ids))
  expect(counted).toEqual(['zone-b claimed reported', 'zone-b claimed reported', 'zone-b claimed reported'])
  expect(errors.map((text) => /machine (i-\d)/.exec(text)?.[1])).toEqual(['i-1', 'i-1', 'i-2'])
})
