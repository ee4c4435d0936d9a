import type { Instance } from '../../compute/index.ts'
import { createVmoves } from '../../ha/index.ts'
import type { WorkflowContext } from '../../journal/index.ts'
import { selectInstances } from '../rules/select-instances.ts'
import { selectionLines } from '../rules/selection-lines.ts'
import { requestRetry } from './acting.ts'
import type { Facts } from './notification-flow.ts'
import type { RecoveryTools } from './tools.ts'

/** A guest that is to be moved and the record of the move. */
export interface Chosen {
  readonly instance: Instance
  /** The guest as it was when this recovery first saw it. */
  readonly before: Instance
  readonly move: string
}

/**
 * Lists a dead host's guests, decides which are moved and opens a move for each.
 *
 * @param seen the guests as they were first seen; those that were not seen yet are added
 * @param undone guests that an earlier attempt could not bring over, wherever they are by now
 *
 * Source: ha-api.md 12.4.
 */
export async function prepareInstances(
  context: WorkflowContext,
  { compute, policy, ids }: RecoveryTools,
  { facts, key, seen, undone }: { facts: Facts; key: string; seen: Map<string, Instance>; undone: readonly string[] },
): Promise<Chosen[]> {
  const host = facts.host.name
  const task = `${key}/PrepareHAEnabledInstancesTask`
  const { evacuateAllInstances, ignoreInstancesInErrorState, hostHaMetadataKey } = policy
  const selectionPolicy = { evacuateAllInstances, ignoreInstancesInErrorState, hostHaMetadataKey }
  const options = { timeoutMs: policy.requestTimeoutMs, input: host, retry: requestRetry(policy) }
  const listed = await context.step(`${task}/list`, options, async ({ signal, progress }) => {
    progress(0, `Preparing instances for evacuation`)
    const found = await compute.listInstances(host, { signal })
    for (const [fraction, line] of selectionLines(host, found, selectionPolicy)) progress(fraction, line)
    return found
  })
  const missing = undone.filter((uuid) => listed.every((instance) => instance.uuid !== uuid))
  const instances = [...listed]
  for (const uuid of missing) {
    const look = { ...options, input: uuid }
    const found = await context.step(
      `${task}/${uuid}/look`,
      look,
      async ({ signal }) => (await compute.findInstance(uuid, { signal })) ?? null,
    )
    // One that is nowhere is tried once more all the same, so that its end is told.
    instances.push(found ?? seen.get(uuid)!)
  }
  for (const instance of instances) if (!seen.has(instance.uuid)) seen.set(instance.uuid, instance)
  // One that went into error because its evacuation failed is judged by what it was before.
  const asSeen = instances.map((instance) => Object.assign({}, instance, { state: seen.get(instance.uuid)!.state }))
  const inputs = { instances: asSeen, policy: selectionPolicy }
  const { evacuate } = await context.decide(`${task}/select`, 'guests to evacuate (ha-api 12.4)', inputs, (given) =>
    selectInstances(given.instances, given.policy),
  )
  const moves = await context.transact(`${task}/moves`, evacuate, async (queries, now) => {
    const rows = evacuate.map(({ uuid, name }) => ({
      uuid: ids.random(),
      notificationUuid: facts.notificationUuid,
      instanceUuid: uuid,
      instanceName: name,
      sourceHost: host,
    }))
    await createVmoves(queries, rows, now)
    return rows.map((row) => ({ uuid: row.instanceUuid, move: row.uuid }))
  })
  const byUuid = new Map(instances.map((instance) => [instance.uuid, instance]))
  return moves.map(({ uuid, move }) => ({ instance: byUuid.get(uuid)!, before: seen.get(uuid)!, move }))
}
