import type { Compute } from '../../compute/index.ts'
import { isRetryable } from '../../core/errors.ts'
import type { WorkflowContext, WorkflowDefinition } from '../../journal/index.ts'
import { judgeProcessReport } from '../rules/judge-notification.ts'
import { payloadText } from '../rules/payload-text.ts'
import { actingAs, requestRetry } from './acting.ts'
import { changeHost } from './change-host.ts'
import { notificationWorkflow, type Facts, type Recovered, type RecoveryInput } from './notification-flow.ts'
import type { RecoveryTools } from './tools.ts'

/** The one process whose death takes the host out of the platform's service. */
const COMPUTE_PROCESS = 'nova-compute'

/**
 * A process of a host died for good: the host takes no new guests until somebody looked at it.
 *
 *   out of service ──▶ disable, if it is the compute service ──▶ finished
 *
 * Source: ha-api.md 14.
 */
export function processFailureWorkflow(tools: RecoveryTools): WorkflowDefinition<RecoveryInput> {
  return notificationWorkflow(
    {
      name: 'process-failure',
      version: 1,
      judge: { rule: 'process report (ha-api 14)', apply: judgeProcessReport },
      prepare: async (context, { host }, given) => {
        await context.transact('out of service', host, async (queries, now) => {
          await changeHost(queries, given, { uuid: host.uuid, flags: { onMaintenance: true }, now })
        })
      },
      attempts: (context, kept, facts) => async (attempt) => await recover(context, kept, facts, attempt),
    },
    tools,
  )
}

async function recover(
  context: WorkflowContext,
  { compute, policy }: RecoveryTools,
  { host, payload }: Facts,
  attempt: number,
): Promise<Recovered> {
  const name = payloadText(payload, 'process_name')
  if (name !== COMPUTE_PROCESS) {
    return { status: 'finished', because: `host ${host.name} is on maintenance because ${name} stopped` }
  }
  const request = { timeoutMs: policy.requestTimeoutMs, input: host.name, retry: requestRetry(policy) }
  await context.step(`${attempt}/DisableComputeNodeTask`, request, async (step) => {
    const seen = await compute.findHost(host.name, step)
    if (seen?.enabled === false) {
      // Whoever disabled it had a reason, which stays.
      step.progress(1, `Compute service is already disabled on host: '${host.name}'`)
      return { already: true }
    }
    step.progress(0, `Disabling compute service on host: '${host.name}'`)
    await compute.disableHost(host.name, { reason: policy.processFailedReason }, actingAs(step))
    step.progress(1, `Disabled compute service on host: '${host.name}'`)
    return { already: false }
  })
  const confirming = { timeoutMs: policy.serviceUpdateTimeoutMs, input: host.name }
  await context.step(`${attempt}/ConfirmComputeNodeDisabledTask`, confirming, async ({ signal, progress }) => {
    progress(0, `Confirming compute service is disabled on host: '${host.name}'`)
    while (!(await isDisabled(compute, host.name, signal))) await context.clock.sleep(policy.pollMs, { signal })
    progress(1, `Confirmed compute service is disabled on host: '${host.name}'`)
    return null
  })
  return { status: 'finished', because: `host ${host.name} takes no new guests because ${name} stopped` }
}

/** A platform that does not answer has not said yes; it is asked again until the step's time is over. */
async function isDisabled(compute: Compute, host: string, signal: AbortSignal): Promise<boolean> {
  try {
    const seen = await compute.findHost(host, { signal })
    return seen?.enabled === false
  } catch (error) {
    if (isRetryable(error)) return false
    throw error
  }
}
