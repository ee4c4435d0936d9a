import { expect, test } from 'vitest'

import type { HistoryEntry } from '../../journal/index.ts'
import { tellEntry } from './tell-entry.ts'

const ABOUT = {
  workflowId: 'w-1',
  input: { notificationUuid: 'n-1', host: 'host-001', generatedAt: 0 },
  correlationId: 'req-1',
}

test.each<[entry: HistoryEntry, type: string, severity: string, payload: object]>([
  [
    { kind: 'intent', key: 'k', data: { input: { a: 1 }, attempt: 1 } },
    'recovery.step.started',
    'info',
    { attempt: 1, input: { a: 1 } },
  ],
  [{ kind: 'outcome', key: 'k', data: { output: 'x', attempt: 1 } }, 'recovery.step.done', 'info', { output: 'x' }],
  [
    { kind: 'failure', key: 'k', data: { attempt: 1, code: 'MS_X', message: 'm', retryAt: 5 } },
    'recovery.step.failed',
    'warning',
    { code: 'MS_X', retry_at: 5 },
  ],
  [
    { kind: 'failure', key: 'k', data: { attempt: 2, code: 'MS_X', message: 'm', retryAt: null } },
    'recovery.step.failed',
    'error',
    { message: 'm' },
  ],
  [{ kind: 'transaction', key: 'k', data: { input: 1, output: 2 } }, 'recovery.step.recorded', 'info', { output: 2 }],
  [
    { kind: 'decision', key: 'k', data: { rule: 'r', inputs: { huge: true }, verdict: { act: 'go', because: 'so' } } },
    'recovery.decided',
    'info',
    { rule: 'r', verdict: 'go', reasons: ['so'] },
  ],
  [
    { kind: 'wait', key: 'k', data: { names: ['a'], until: 9, held: 'unproven' } },
    'recovery.waiting',
    'warning',
    { held: 'unproven' },
  ],
  [
    { kind: 'signal', key: 'k', data: { id: 's', name: 'a', data: { token: 1 } } },
    'recovery.answered',
    'info',
    { name: 'a' },
  ],
  [{ kind: 'timer', key: 'k', data: { delayMs: 1, until: 2 } }, 'recovery.paused', 'info', { until: 2 }],
  [
    { kind: 'progress', key: 'k', data: { fraction: 1, message: 'm' } },
    'recovery.step.progress',
    'debug',
    { message: 'm' },
  ],
  [{ kind: 'lock', key: 'k', data: { lock: 'l', acquired: true } }, 'recovery.locked', 'debug', { acquired: true }],
])('%j is told as %s', (entry, type, severity, payload) => {
  const told = tellEntry({ ...entry, seq: 7, fence: 1, at: 1000 }, ABOUT)
  expect(told).toMatchObject({
    id: 'w-1/7',
    type,
    severity,
    occurredAt: 1000,
    nodeName: 'host-001',
    resourceId: 'w-1',
    correlationId: 'req-1',
    payload: { recovery: 'w-1', entry: 7, notification_uuid: 'n-1', host: 'host-001', key: 'k', ...payload },
  })
})

test.each<HistoryEntry>([
  { kind: 'time', key: 'k', data: { now: 1 } },
  { kind: 'claimed', key: 'k', data: { engine: 'e' } },
])('%j is for the journal alone', (entry) => {
  expect(tellEntry({ ...entry, seq: 7, fence: 1, at: 1000 }, ABOUT)).toBeUndefined()
})
