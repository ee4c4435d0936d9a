import {
  findHost,
  findNotification,
  findSegment,
  listVmoves,
  setNotificationStatus,
  updateVmove,
  type NotificationStatus,
  type RecoveryMethod,
} from '../../ha/index.ts'
import type { JsonObject } from '../../core/json.ts'
import type { Queries } from '../../store/index.ts'
import {
  StepFailedError,
  type WorkflowContext,
  type WorkflowDefinition,
  type WorkflowEnd,
} from '../../journal/index.ts'
import { tellEntry } from '../explain/tell-entry.ts'
import { processEnd, type Stage } from '../rules/process-end.ts'
import type { Judgement } from '../rules/judge-notification.ts'
import { DEFAULT_POLICY, type RecoveryPolicy } from '../policy.ts'
import { tellProcess, tellProcessOf } from './tell-process.ts'
import type { RecoveryTools } from './tools.ts'

/** What a recovery workflow is given. */
export type RecoveryInput = { readonly notificationUuid: string; readonly host: string; readonly generatedAt: number }

/** What a recovery workflow ends with. */
export type RecoveryResult = {
  readonly status: 'finished' | 'ignored'
  readonly because: string
  /** Where it was decided that nothing is done; absent when something was. */
  readonly stage?: Stage
}

/** What one attempt ends with when it does not fail. */
export type Recovered = RecoveryResult

/** What one attempt ends with. */
type AttemptResult = RecoveryResult | { readonly status: 'failed'; readonly because: string }

/** What is known when a recovery begins. */
export interface Facts {
  readonly notificationUuid: string
  readonly host: { readonly uuid: string; readonly name: string; readonly reserved: boolean }
  readonly segment: { readonly uuid: string; readonly name: string; readonly method: RecoveryMethod }
  readonly payload: JsonObject
  /** The policy as it was then: a recovery keeps it, also when it goes on after a restart with another configuration. */
  readonly policy: RecoveryPolicy
  /** Set when the segment's HA is switched off, which ends everything at once. */
  readonly disabled: boolean
}

/** The text that a notification carries when it was not handled because HA is switched off. */
const SEGMENT_DISABLED = 'The failover segment of this host is disabled, so its notifications are ignored.'

export interface NotificationFlow {
  readonly name: string
  readonly version: number
  readonly judge: { readonly rule: string; readonly apply: (payload: JsonObject) => Judgement }
  /** Changes made once, after the judgement and before the first attempt. */
  readonly prepare?: (context: WorkflowContext, facts: Facts, tools: RecoveryTools) => Promise<void>
  /**
   * Makes the function that does one attempt; what its attempts share is in its closure.
   *
   * The function returns why it is good as it is now; it throws RecoveryFailedError, StepFailedError.
   */
  readonly attempts: (
    context: WorkflowContext,
    tools: RecoveryTools,
    facts: Facts,
  ) => (attempt: number) => Promise<Recovered>
}

/** One attempt did not bring everything back. */
export class RecoveryFailedError extends Error {}

/**
 * What every recovery has in common: the life of its notification.
 *
 *   new ──▶ running ──▶ finished | ignored
 *              └──▶ error ──pause──▶ running ──▶ finished | failed
 *
 * Source: ha-api.md 11.3 and 11.4. What was given up before its turn came stays so (11.5): the host may have come back
 * long ago. The retry is a durable timer of this workflow instead of a periodic task, so it
 * happens once, whichever engine runs then. The end of the workflow, whatever the reason, sets the final status in the
 * same transaction: a notification cannot be left over.
 */
export function notificationWorkflow(flow: NotificationFlow, tools: RecoveryTools): WorkflowDefinition<RecoveryInput> {
  return {
    name: flow.name,
    version: flow.version,
    ended: async (queries, end) => await closeNotification(queries, end, tools),
    tell: tellEntry,
    run: async (context, input): Promise<RecoveryResult> => {
      const facts = await context.transact('begin', input, async (queries, now) => {
        return await begin(queries, input, tools, now)
      })
      if (facts.disabled) return { status: 'ignored', because: SEGMENT_DISABLED }
      const judgement = await context.decide('judge', flow.judge.rule, facts.payload, flow.judge.apply)
      if (judgement.act === 'nothing') return { status: judgement.status, because: judgement.because, stage: 'report' }
      await flow.prepare?.(context, facts, tools)
      // What was recorded by an older version lacks what is new.
      const policy = { ...DEFAULT_POLICY, ...facts.policy }
      const attemptOnce = flow.attempts(context, { ...tools, policy }, facts)
      for (let attempt = 1; ; attempt += 1) {
        const outcome = await tryOnce(attemptOnce, attempt)
        if (outcome.status !== 'failed') return outcome
        // Thrown, so that the run itself counts as failed: nobody looks for trouble among those that completed.
        if (attempt >= policy.attempts) throw new RecoveryFailedError(outcome.because)
        await context.transact(`${attempt}/error`, outcome.because, async (queries, now) => {
          const uuid = input.notificationUuid
          await tellProcessOf(queries, tools, { uuid, phase: 'error', fault: outcome.because, now })
          await setNotificationStatus(queries, uuid, 'error', { nowMs: now })
        })
        // The retry is a processing of its own (ha-api.md 11.4): what else was reported of the host goes first.
        await context.sleep(`${attempt}/pause`, policy.retryAfterMs, { releases: 'subject' })
        const again = await context.transact(`${attempt}/again`, null, async (queries, now) => {
          return await beginAgain(queries, facts, tools, now)
        })
        // Null was recorded by an older version.
        if (again?.disabled === true) return { status: 'ignored', because: SEGMENT_DISABLED }
      }
    },
  }
}

async function tryOnce(attemptOnce: (attempt: number) => Promise<Recovered>, attempt: number): Promise<AttemptResult> {
  try {
    return await attemptOnce(attempt)
  } catch (error) {
    if (error instanceof RecoveryFailedError) return { status: 'failed', because: error.message }
    if (error instanceof StepFailedError) return { status: 'failed', because: error.failedMessage }
    throw error
  }
}

async function begin(
  queries: Queries,
  { notificationUuid }: RecoveryInput,
  tools: RecoveryTools,
  now: number,
): Promise<Facts> {
  const notification = await findNotification(queries, notificationUuid)
  if (notification === undefined) throw new Error(`Notification ${notificationUuid} is not in the database any more.`)
  if (notification.status === 'failed') {
    throw new RecoveryFailedError('the notification was given up as too old before its recovery began')
  }
  const host = await findHost(queries, notification.sourceHostUuid)
  const segment = host === undefined ? undefined : await findSegment(queries, host.segmentUuid)
  if (host === undefined || segment === undefined) {
    throw new Error(`The host of notification ${notificationUuid} was deleted before it could be recovered.`)
  }
  if (segment.enabled) {
    await tellProcess(queries, tools, { notification, phase: 'start', fault: null, now })
    await setNotificationStatus(queries, notificationUuid, 'running', { nowMs: now })
  }
  return {
    notificationUuid,
    host: { uuid: host.uuid, name: host.name, reserved: host.reserved },
    segment: { uuid: segment.uuid, name: segment.name, method: segment.recoveryMethod },
    payload: notification.payload,
    policy: tools.policy,
    disabled: !segment.enabled,
  }
}

/** The segment's HA may have been switched off during the pause. Source: ha-api.md 11.4. */
async function beginAgain(
  queries: Queries,
  { notificationUuid: uuid, segment }: Facts,
  tools: RecoveryTools,
  now: number,
): Promise<{ disabled: boolean } | null> {
  const found = await findSegment(queries, segment.uuid)
  if (found?.enabled === false) return { disabled: true }
  await tellProcessOf(queries, tools, { uuid, phase: 'start', fault: null, now })
  await setNotificationStatus(queries, uuid, 'running', { nowMs: now })
  return { disabled: false }
}

async function closeNotification(
  queries: Queries,
  end: WorkflowEnd<RecoveryInput>,
  tools: RecoveryTools,
): Promise<void> {
  const { notificationUuid, host } = end.input
  const result = end.status === 'completed' ? (end.result as RecoveryResult) : undefined
  const status: NotificationStatus = result?.status ?? 'failed'
  const because = result?.because ?? end.reason ?? 'unknown'
  // Clients expect a message only where HA is switched off (ha-api.md 8.1).
  const message = because === SEGMENT_DISABLED ? { message: SEGMENT_DISABLED } : {}
  await tellEnd(queries, tools, {
    uuid: notificationUuid,
    status,
    because,
    stage: result?.stage ?? 'target',
    now: end.at,
  })
  await setNotificationStatus(queries, notificationUuid, status, { nowMs: end.at, ...message })
  await closeOpenMoves(queries, notificationUuid, because, end.at)
  await tools.announce(
    queries,
    {
      type: 'recovery.ended',
      severity: status === 'failed' ? 'error' : 'info',
      host,
      workflowId: end.workflowId,
      payload: { notification_uuid: notificationUuid, status, because },
    },
    end.at,
  )
}

async function tellEnd(
  queries: Queries,
  tools: RecoveryTools,
  end: { uuid: string; status: NotificationStatus; because: string; stage: Stage; now: number },
): Promise<void> {
  const notification = await findNotification(queries, end.uuid)
  if (notification === undefined) return
  const isGuest = notification.type === 'VM'
  const phase = processEnd(notification.status, { status: end.status, isGuest, stage: end.stage })
  if (phase === null) return
  const fault = phase === 'error' ? end.because : null
  await tellProcess(queries, tools, { notification, phase, fault, now: end.now })
}

/** Moves that were planned or under way when the recovery ended are nobody's any more: cancelled, or never begun. */
async function closeOpenMoves(queries: Queries, notificationUuid: string, because: string, now: number): Promise<void> {
  for (const { uuid, status } of await listVmoves(queries, notificationUuid)) {
    if (status !== 'pending' && status !== 'ongoing') continue
    const message = `The recovery ended before this move did: ${because}`
    await updateVmove(queries, uuid, { status: 'failed', message, endTime: now }, now)
  }
}
