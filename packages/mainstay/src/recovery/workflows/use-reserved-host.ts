import type { WorkflowContext } from '../../journal/index.ts'
import { actingAs, requestRetry } from './acting.ts'
import { changeHost } from './change-host.ts'
import { RecoveryFailedError } from './notification-flow.ts'
import type { RecoveryTools } from './tools.ts'

/**
 * Keeps a reserved host for this recovery alone until it ends.
 *
 * Source: ha-api.md 19 (a reserved host is never used for two failures at once).
 *
 * @throws RecoveryFailedError when another recovery has it
 */
export async function reserveHost(
  context: WorkflowContext,
  { host, key }: { host: { uuid: string; name: string }; key: string },
): Promise<void> {
  if (await context.acquire(`${key}/EvacuateInstancesTask/reserve`, `reserved-host:${host.uuid}`)) return
  throw new RecoveryFailedError(`reserved host ${host.name} is being used by another recovery`)
}

/**
 * Brings a reserved host into service. It is not given back, also when the evacuation fails: guests may be on it.
 *
 * Source: ha-api.md 12.5.
 */
export async function useReservedHost(
  context: WorkflowContext,
  tools: RecoveryTools,
  { host, key }: { host: { uuid: string; name: string }; key: string },
): Promise<void> {
  const { compute, policy } = tools
  const task = `${key}/EvacuateInstancesTask`
  const options = { timeoutMs: policy.requestTimeoutMs, input: host.name, retry: requestRetry(policy) }
  await context.step(`${task}/enable`, options, async (attempt) => {
    attempt.progress(0.1, `Enabling reserved host '${host.name}'`)
    await compute.enableHost(host.name, actingAs(attempt))
    return null
  })
  await context.transact(`${task}/not reserved`, host.uuid, async (queries, now) => {
    await changeHost(queries, tools, { uuid: host.uuid, flags: { reserved: false }, now })
  })
}
