import { InstanceNotFoundError, type Instance } from '../../compute/index.ts'
import type { WorkflowContext, WorkflowDefinition } from '../../journal/index.ts'
import { dashedUuid } from '../rules/dashed-uuid.ts'
import { planInstanceRecovery, type InstancePlan } from '../rules/judge-instance.ts'
import { judgeInstanceReport } from '../rules/judge-notification.ts'
import { payloadText } from '../rules/payload-text.ts'
import { actingAs, requestRetry } from './acting.ts'
import { notificationWorkflow, type Facts, type Recovered, type RecoveryInput } from './notification-flow.ts'
import type { RecoveryTools } from './tools.ts'
import { waitForInstance } from './wait-for-instance.ts'

/**
 * A guest failed: it is started again where it is.
 *
 *   look ──▶ decide ──▶ stop, unless it is stopped ──▶ start ──▶ confirm ──▶ finished
 *              └──▶ nothing to do
 *
 * Source: ha-api.md 13.
 */
export function instanceFailureWorkflow(tools: RecoveryTools): WorkflowDefinition<RecoveryInput> {
  return notificationWorkflow(
    {
      name: 'instance-failure',
      version: 1,
      judge: { rule: 'guest report (ha-api 13.1)', apply: judgeInstanceReport },
      attempts: (context, kept, facts) => async (attempt) => await recover(context, kept, facts, attempt),
    },
    tools,
  )
}

async function recover(
  context: WorkflowContext,
  tools: RecoveryTools,
  facts: Facts,
  attempt: number,
): Promise<Recovered> {
  const { compute, policy } = tools
  const uuid = dashedUuid(payloadText(facts.payload, 'instance_uuid'))
  const request = { timeoutMs: policy.requestTimeoutMs, input: uuid, retry: requestRetry(policy) }
  const { processAllInstances, instanceHaMetadataKey } = policy
  const instancePolicy = { processAllInstances, instanceHaMetadataKey }
  const triedOn = attempt === 1 ? null : facts.host.name
  const instance = await context.step(`${attempt}/StopInstanceTask/look`, request, async ({ signal, progress }) => {
    const found = await compute.findInstance(uuid, { signal })
    if (found === undefined) throw new InstanceNotFoundError(uuid)
    const { act, because } = planInstanceRecovery(found, instancePolicy, triedOn)
    if (act === 'nothing') progress(1, `Skipped: ${because}`)
    return found
  })
  const inputs = { instance, policy: instancePolicy, ...(triedOn === null ? {} : { triedOn }) }
  const plan = await context.decide(
    `${attempt}/StopInstanceTask/plan`,
    'guest recovery (ha-api 13.2)',
    inputs,
    (given) => planInstanceRecovery(given.instance, given.policy, given.triedOn),
  )
  if (plan.act === 'nothing') return { status: plan.status, because: plan.because, stage: 'target' }
  await stop(context, tools, { instance, plan, attempt })
  await context.step(`${attempt}/StartInstanceTask`, request, async (step) => {
    // The start may have been asked for before this process died: look before asking again.
    const now = await compute.findInstance(uuid, step)
    if (now?.state === 'active') return { already: true }
    step.progress(0, `Starting instance '${uuid}'`)
    await compute.start(uuid, actingAs(step))
    step.progress(1, `Started instance '${uuid}'`)
    return { already: false }
  })
  const confirming = { timeoutMs: policy.powerOnTimeoutMs + policy.requestTimeoutMs, input: uuid }
  const seen = await context.step(`${attempt}/ConfirmInstanceActiveTask`, confirming, async ({ signal, progress }) => {
    progress(0, `Confirming instance '${uuid}' vm_state is ACTIVE`)
    const timeoutMs = policy.powerOnTimeoutMs
    const wait = { clock: context.clock, timeoutMs, pollMs: policy.pollMs, signal }
    const active = await waitForInstance(compute, uuid, isActive, wait)
    progress(1, `Confirmed instance '${uuid}' vm_state is ACTIVE`)
    return { host: active.host, state: active.state }
  })
  return { status: 'finished', because: `guest ${instance.name} runs again on host ${seen.host}` }
}

function isActive({ state }: Instance): boolean {
  return state === 'active'
}

async function stop(
  context: WorkflowContext,
  { compute, policy }: RecoveryTools,
  run: { instance: Instance; plan: Extract<InstancePlan, { act: 'restart' }>; attempt: number },
): Promise<void> {
  const { instance, plan, attempt } = run
  const { uuid } = instance
  const request = { timeoutMs: policy.requestTimeoutMs, input: uuid, retry: requestRetry(policy) }
  const task = `${attempt}/StopInstanceTask`
  if (plan.resetFirst) {
    await context.step(`${task}/reset`, request, async (step) => {
      await compute.resetState(uuid, 'active', actingAs(step))
      return null
    })
  }
  if (!plan.stopFirst) return
  await context.step(`${task}/stop`, request, async (step) => {
    const now = await compute.findInstance(uuid, step)
    if (now?.state === 'stopped') return { already: true }
    step.progress(0, `Stopping instance: ${uuid}`)
    await compute.stop(uuid, actingAs(step))
    return { already: false }
  })
  const stopping = { timeoutMs: policy.powerOffTimeoutMs + policy.requestTimeoutMs, input: uuid }
  await context.step(`${task}/stopped`, stopping, async ({ signal, progress }) => {
    const timeoutMs = policy.powerOffTimeoutMs
    const wait = { clock: context.clock, timeoutMs, pollMs: policy.pollMs, signal }
    await waitForInstance(compute, uuid, ({ state }) => state === 'stopped', wait)
    progress(1, `Stopped instance: '${uuid}'`)
    return null
  })
}
