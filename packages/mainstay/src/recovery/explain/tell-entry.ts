import type { MainstayEvent, Severity } from '../../core/event.ts'
import type { JsonObject } from '../../core/json.ts'
import type { RecordedEntry, WorkflowSubject } from '../../journal/index.ts'
import type { RecoveryInput } from '../workflows/notification-flow.ts'
import { decisionText } from './decision-text.ts'

interface Told {
  readonly type: string
  readonly severity: Severity
  readonly payload: JsonObject
}

/**
 * What the stream is told of one entry of a recovery's history: every step as it begins and ends, every decision, every
 * wait. What only serves a replay (the time that was read, who owns the run) is not told.
 *
 * The id is made of the run and the number of the entry, so that the same fact is told under the same id for ever. What
 * one branch of a recovery does is told in its order; where branches run side by side, `entry` is the order of the run.
 */
export function tellEntry(
  entry: RecordedEntry,
  { workflowId, input, correlationId }: WorkflowSubject<RecoveryInput>,
): MainstayEvent | undefined {
  const told = toldOf(entry)
  if (told === undefined) return undefined
  const { key, seq, at } = entry
  return {
    id: `${workflowId}/${seq}`,
    type: told.type,
    severity: told.severity,
    occurredAt: at,
    nodeName: input.host,
    resourceId: workflowId,
    projectId: null,
    correlationId,
    payload: {
      recovery: workflowId,
      entry: seq,
      notification_uuid: input.notificationUuid,
      host: input.host,
      key,
      ...told.payload,
    },
  }
}

function toldOf(entry: RecordedEntry): Told | undefined {
  switch (entry.kind) {
    case 'intent':
      return { type: 'recovery.step.started', severity: 'info', payload: entry.data }
    case 'outcome':
      return { type: 'recovery.step.done', severity: 'info', payload: entry.data }
    case 'failure': {
      const { attempt, code, message, retryAt } = entry.data
      const severity = retryAt === null ? 'error' : 'warning'
      return { type: 'recovery.step.failed', severity, payload: { attempt, code, message, retry_at: retryAt } }
    }
    case 'transaction':
      return { type: 'recovery.step.recorded', severity: 'info', payload: { output: entry.data.output } }
    case 'decision': {
      const { verdict, reasons } = decisionText(entry.data.verdict)
      return { type: 'recovery.decided', severity: 'info', payload: { rule: entry.data.rule, verdict, reasons } }
    }
    case 'timer':
      return { type: 'recovery.paused', severity: 'info', payload: { until: entry.data.until } }
    case 'wait': {
      const { names, until, held } = entry.data
      return { type: 'recovery.waiting', severity: held === null ? 'info' : 'warning', payload: { names, until, held } }
    }
    case 'signal':
      return { type: 'recovery.answered', severity: 'info', payload: { name: entry.data.name } }
    case 'lock':
      return { type: 'recovery.locked', severity: 'debug', payload: entry.data }
    case 'progress':
      return { type: 'recovery.step.progress', severity: 'debug', payload: entry.data }
    case 'time':
    case 'claimed':
      return undefined
  }
}
