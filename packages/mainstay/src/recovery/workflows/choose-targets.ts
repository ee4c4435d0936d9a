import { listSegmentHosts, findHostByName } from '../../ha/index.ts'
import type { WorkflowContext } from '../../journal/index.ts'
import { placeInstances } from '../rules/place-instances.ts'
import { requestRetry } from './acting.ts'
import type { Chosen } from './prepare-instances.ts'
import type { RecoveryTools } from './tools.ts'

/**
 * Where each guest goes: to the reserved host, to the host that the platform chooses, or, where it does not choose,
 * to the one that our own rule chooses.
 *
 * @returns guest to host; a guest without an entry is left to the platform
 */
export async function chooseTargets(
  context: WorkflowContext,
  { compute, policy }: RecoveryTools,
  {
    key,
    source,
    reserved,
    instances,
  }: { key: string; source: string; reserved: string | null; instances: readonly Chosen[] },
): Promise<Readonly<Record<string, string>>> {
  if (reserved !== null) return Object.fromEntries(instances.map(({ instance }) => [instance.uuid, reserved]))
  if (compute.schedules) return {}
  const task = `${key}/EvacuateInstancesTask`
  const options = { timeoutMs: policy.requestTimeoutMs, retry: requestRetry(policy) }
  const hosts = await context.step(`${task}/hosts`, options, async ({ signal }) => await compute.listHosts({ signal }))
  const avoid = await context.transact(`${task}/avoid`, source, async (queries) => {
    const host = await findHostByName(queries, source)
    const peers = host === undefined ? [] : await listSegmentHosts(queries, host.segmentUuid)
    const closed = peers.filter(({ reserved: kept, onMaintenance }) => kept || onMaintenance).map(({ name }) => name)
    return [...new Set([source, ...closed])]
  })
  const guests = instances.map(({ instance: { uuid, memoryMib } }) => ({ uuid, memoryMib }))
  const inputs = { guests, hosts, avoid }
  const { targets } = await context.decide(`${task}/place`, 'most free memory first', inputs, (given) =>
    placeInstances(given.guests, given.hosts, new Set(given.avoid)),
  )
  return targets
}
