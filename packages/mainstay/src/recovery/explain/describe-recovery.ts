import type { DecisionRecord, Recovery, RecoveryStep, WaitsFor } from '../../client/index.ts'
import { formatZulu } from '../../core/timestamp.ts'
import type { RecordedEntry, WorkflowSummary } from '../../journal/index.ts'
import type { RecoveryInput, RecoveryResult } from '../workflows/notification-flow.ts'
import { decisionText } from './decision-text.ts'
import { timeline } from './timeline.ts'

const TYPES: Readonly<Record<string, Recovery['type']>> = {
  'host-failure': 'host',
  'instance-failure': 'instance',
  'process-failure': 'process',
}

/**
 * A recovery for people: what was seen, decided and done, when, and how it ended.
 *
 * @param holder the recovery whose end this one waits for, if any
 */
export function describeRecovery(
  workflow: WorkflowSummary,
  history: readonly RecordedEntry[],
  holder?: WorkflowSummary,
): Recovery {
  const input = workflow.input as RecoveryInput
  const ended = workflow.finishedAt !== null
  const phases = timeline(history, { generatedAt: input.generatedAt, acceptedAt: workflow.createdAt, ended })
  return {
    id: workflow.id,
    notificationUuid: input.notificationUuid,
    ...nameOf(workflow),
    heldReason: workflow.status === 'held' ? workflow.reason : null,
    waitsFor: holder === undefined ? null : { id: holder.id, ...nameOf(holder) },
    createdAt: formatZulu(workflow.createdAt),
    finishedAt: workflow.finishedAt === null ? null : formatZulu(workflow.finishedAt),
    outcome: outcomeOf(workflow),
    timeline: phases.map(({ phase, from, lastedMs, text }) => ({
      phase,
      at: formatZulu(from),
      durationMs: lastedMs,
      text,
    })),
    steps: steps(history),
    decisions: history.flatMap(decision),
  }
}

function nameOf({ name, input, status }: WorkflowSummary): Omit<WaitsFor, 'id'> {
  return { type: TYPES[name] ?? 'process', subject: subjectOf(input as RecoveryInput), status }
}

/** The guest, where the recovery is about one; the host otherwise. Runs that are older than this rule name the host. */
function subjectOf(input: RecoveryInput): string {
  const guest: unknown = 'guest' in input ? input.guest : null
  return typeof guest === 'string' ? guest : input.host
}

function outcomeOf({ status, result, reason }: WorkflowSummary): string | null {
  if (status === 'completed') {
    const { status: ending, because } = result as RecoveryResult
    return `${ending}: ${because}`
  }
  return status === 'failed' || status === 'cancelled' ? reason : null
}

function steps(history: readonly RecordedEntry[]): RecoveryStep[] {
  const steps = new Map<string, RecoveryStep>()
  for (const entry of history) {
    const at = formatZulu(entry.at)
    if (entry.kind === 'intent') {
      const { input, attempt } = entry.data
      const begun = { key: entry.key, kind: 'act', state: 'intended', attempt, at } as const
      steps.set(`${entry.key} ${attempt}`, { ...begun, finishedAt: null, input, output: null, error: null })
    } else if (entry.kind === 'outcome') {
      const { attempt, output } = entry.data
      const begun = steps.get(`${entry.key} ${attempt}`)
      if (begun !== undefined) steps.set(`${entry.key} ${attempt}`, { ...begun, state: 'done', finishedAt: at, output })
    } else if (entry.kind === 'failure') {
      const { attempt, message } = entry.data
      const begun = steps.get(`${entry.key} ${attempt}`)
      if (begun === undefined) continue
      steps.set(`${entry.key} ${attempt}`, { ...begun, state: 'failed', finishedAt: at, error: message })
    } else if (entry.kind === 'transaction') {
      const { input, output } = entry.data
      const done = { key: entry.key, kind: 'record', state: 'done', attempt: 1, at, finishedAt: at } as const
      steps.set(`${entry.key} ${entry.seq}`, { ...done, input, output, error: null })
    }
  }
  return [...steps.values()]
}

function decision(entry: RecordedEntry): DecisionRecord[] {
  if (entry.kind !== 'decision') return []
  const { rule, inputs, verdict } = entry.data
  return [{ at: formatZulu(entry.at), rule, inputs, ...decisionText(verdict) }]
}
