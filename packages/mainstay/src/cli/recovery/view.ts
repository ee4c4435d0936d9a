import type { Recovery, RecoveryStep } from '../../client/index.ts'
import { parseJson, toJson, type Json } from '../../core/json.ts'
import type { View } from '../output/view.ts'

const SUMMARY = [
  'id',
  'notification_uuid',
  'type',
  'subject',
  'status',
  'held_reason',
  'outcome',
  'created_at',
  'finished_at',
]

export const recoveryView: View<Recovery> = {
  columns: {
    id: (recovery) => recovery.id,
    notification_uuid: (recovery) => recovery.notificationUuid,
    type: (recovery) => recovery.type,
    subject: (recovery) => recovery.subject,
    status: (recovery) => recovery.status,
    held_reason: (recovery) => recovery.heldReason,
    outcome: (recovery) => recovery.outcome,
    created_at: (recovery) => recovery.createdAt,
    finished_at: (recovery) => recovery.finishedAt,
    timeline: (recovery) => plain(recovery.timeline),
    steps: (recovery) => plain(recovery.steps),
    decisions: (recovery) => plain(recovery.decisions),
  },
  listed: ['id', 'type', 'subject', 'status', 'outcome', 'held_reason', 'created_at', 'finished_at'],
  shown: [...SUMMARY, 'timeline', 'steps', 'decisions'],
}

/** What a table has room for. */
export const recoverySummaryView: View<Recovery> = { ...recoveryView, shown: SUMMARY }

export const stepView: View<RecoveryStep> = {
  columns: {
    key: (step) => step.key,
    kind: (step) => step.kind,
    state: (step) => step.state,
    attempt: (step) => step.attempt,
    at: (step) => step.at,
    finished_at: (step) => step.finishedAt,
    error: (step) => step.error,
  },
  listed: ['key', 'kind', 'state', 'attempt', 'at', 'finished_at', 'error'],
  shown: ['key', 'kind', 'state', 'attempt', 'at', 'finished_at', 'error'],
}

function plain(value: unknown): Json {
  return parseJson(toJson(value), 'the record')
}
