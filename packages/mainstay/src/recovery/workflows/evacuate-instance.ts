import type { Asking, Compute, FenceCertificate, Instance, InstanceState } from '../../compute/index.ts'
import { updateVmove } from '../../ha/index.ts'
import { StepFailedError, type WorkflowContext } from '../../journal/index.ts'
import { evacuationSteps, hasArrived } from '../rules/evacuation-steps.ts'
import { judgeMove, type MoveVerdict } from '../rules/judge-move.ts'
import type { GuestOutcome } from '../rules/recovery-outcome.ts'
import { actingAs, requestRetry } from './acting.ts'
import type { RecoveryTools } from './tools.ts'
import { waitForInstance } from './wait-for-instance.ts'

export interface Evacuation {
  readonly key: string
  /** The record of this move. */
  readonly move: string
  /** The guest as it is. */
  readonly instance: Instance
  /** The guest as it was when this recovery first saw it. */
  readonly before: Instance
  readonly source: string
  /** Null where the platform chooses. */
  readonly target: string | null
  readonly certificate: FenceCertificate
}

/**
 * Brings one guest of a dead host to another and keeps the record of its move.
 *
 *   pending ──▶ ongoing ──▶ succeeded
 *                  └──────▶ failed
 *
 * Source: ha-api.md 12.5, steps 1 to 7.
 *
 * @returns what became of it; `error` says why it failed
 */
export async function evacuateInstance(
  context: WorkflowContext,
  tools: RecoveryTools,
  evacuation: Evacuation,
): Promise<GuestOutcome> {
  const { instance, move, before } = evacuation
  const guest = { name: instance.name, was: before.state }
  const task = `${evacuation.key}/EvacuateInstancesTask/${instance.uuid}`
  await context.transact(`${task}/ongoing`, move, async (queries, now) => {
    await updateVmove(queries, move, { status: 'ongoing', startTime: now }, now)
  })
  try {
    const arrived = await bringOver(context, tools, evacuation, task)
    await context.transact(`${task}/succeeded`, arrived.host, async (queries, now) => {
      await updateVmove(queries, move, { status: 'succeeded', destHost: arrived.host, endTime: now }, now)
    })
    return { ...guest, is: arrived.state, error: null }
  } catch (error) {
    if (!(error instanceof StepFailedError)) throw error
    await context.transact(`${task}/failed`, error.failedMessage, async (queries, now) => {
      await updateVmove(queries, move, { status: 'failed', message: error.failedMessage, endTime: now }, now)
    })
    return { ...guest, is: null, error: error.failedMessage }
  }
}

/** @returns the host on which the guest is now, and what it does there */
async function bringOver(
  context: WorkflowContext,
  { compute, policy }: RecoveryTools,
  { instance, before, source, target, certificate }: Evacuation,
  task: string,
): Promise<{ host: string; state: InstanceState }> {
  const { uuid } = instance
  const request = { timeoutMs: policy.requestTimeoutMs, retry: requestRetry(policy) }
  // One that has left already, in an earlier attempt, is to become what it was then, whatever it is now.
  const given = instance.host === source ? instance : before
  const steps = evacuationSteps(given, before)
  const sought = { uuid, source, sinceMs: context.createdAt }
  let remembered = given.state
  if (given !== instance && steps.resetBefore) remembered = 'error'
  else if (steps.resetBefore) {
    const { reset } = await context.step(`${task}/reset`, { ...request, input: uuid }, async (attempt) => {
      // It may be busy with the very evacuation that an earlier attempt asked for. To reset it would let in a second one.
      if ((await lookAtMoves(compute, sought, attempt)).act !== 'begin') return { reset: false }
      await compute.resetState(uuid, 'error', actingAs(attempt))
      return { reset: true }
    })
    if (reset) remembered = 'error'
  }
  await context.step(`${task}/evacuate`, { ...request, input: { uuid, target } }, async (attempt) => {
    const verdict = await lookAtMoves(compute, sought, attempt)
    if (verdict.act === 'wait') return { target: verdict.target, already: true }
    attempt.progress(0.5, `Evacuation of instance started: '${uuid}'`)
    const acting = actingAs(attempt)
    if (verdict.act === 'carry on') {
      const options = { target: verdict.target ?? undefined, certificate }
      await compute.evacuate(uuid, options, { ...acting, key: verdict.key })
      return { target: verdict.target, already: true }
    }
    await compute.evacuate(uuid, { target: target ?? undefined, certificate }, acting)
    return { target, already: false }
  })
  const confirm = { timeoutMs: policy.evacuationTimeoutMs + policy.requestTimeoutMs }
  const wait = { clock: context.clock, pollMs: policy.pollMs }
  const arrived = await context.step(`${task}/confirm`, { ...confirm, input: uuid }, async ({ signal, progress }) => {
    const there = (now: Instance): boolean => hasArrived(now, source, remembered)
    const timeoutMs = policy.evacuationTimeoutMs
    const seen = await waitForInstance(compute, uuid, there, { ...wait, signal, timeoutMs })
    progress(0.7, `Successfully evacuated instance '${uuid}' to host '${seen.host}'`)
    return { host: seen.host, state: seen.state }
  })
  if (steps.stopAfter) {
    await context.step(`${task}/stop`, { ...request, input: uuid }, async (attempt) => {
      const now = await compute.findInstance(uuid, attempt)
      if (now?.state !== 'stopped') await compute.stop(uuid, actingAs(attempt))
      return null
    })
    const stopping = { timeoutMs: policy.powerOffTimeoutMs + policy.requestTimeoutMs, input: uuid }
    await context.step(`${task}/stopped`, stopping, async ({ signal }) => {
      const timeoutMs = policy.powerOffTimeoutMs
      await waitForInstance(compute, uuid, (now) => now.state === 'stopped', { ...wait, signal, timeoutMs })
      return null
    })
  }
  if (steps.resetAfter) {
    await context.step(`${task}/reset again`, { ...request, input: uuid }, async (attempt) => {
      await compute.resetState(uuid, 'error', actingAs(attempt))
      return null
    })
  }
  return steps.stopAfter ? { host: arrived.host, state: steps.resetAfter ? 'error' : 'stopped' } : arrived
}

/** What the restarts elsewhere that the platform remembers mean for this one. */
async function lookAtMoves(
  compute: Compute,
  { uuid, source, sinceMs }: { uuid: string; source: string; sinceMs: number },
  { signal }: Asking,
): Promise<MoveVerdict> {
  // Also what began before this recovery did: it may still be under way.
  const moves = await compute.listMoves(uuid, { sinceMs: 0 }, { signal })
  return judgeMove(moves, { source, sinceMs })
}
