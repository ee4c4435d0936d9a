import type { Instance } from '../../compute/index.ts'
import { hasHaMark } from './ha-mark.ts'
import { selectInstances, type SelectionPolicy } from './select-instances.ts'

/**
 * The choice of guests as lines of progress, each with its fraction.
 *
 * Source: ha-api.md 12.4, progress milestones.
 */
export function selectionLines(
  host: string,
  instances: readonly Instance[],
  policy: SelectionPolicy,
): (readonly [fraction: number, line: string])[] {
  const { evacuate } = selectInstances(instances, policy)
  const marked = evacuate.filter((instance) => instance.marked).length
  const ignored = policy.ignoreInstancesInErrorState
    ? instances.filter(({ state, metadata }) => state === 'error' && hasHaMark(metadata, policy.hostHaMetadataKey))
    : []
  const all = [
    [0.7, `Instances without the HA mark: ${evacuate.length - marked}`],
    [0.8, `Instances to be considered in all: ${evacuate.length}`],
  ] as const
  const last =
    evacuate.length === 0
      ? `Skipped host '${host}': no instance needs to be evacuated`
      : `Instances to be evacuated: ${evacuate.map(({ uuid }) => uuid).join(', ')}`
  return [
    [0.3, `Total instances running on failed host '${host}' is ${instances.length}`],
    ...ignored.map(({ uuid }) => [0.4, `Instance '${uuid}' is in state error and ignored`] as const),
    [0.6, `Instances with the HA mark: ${marked}`],
    ...(policy.evacuateAllInstances ? all : []),
    [1, last],
  ]
}
