import type { Instance } from '../../compute/index.ts'
import { hasHaMark } from './ha-mark.ts'

export interface SelectionPolicy {
  readonly evacuateAllInstances: boolean
  readonly ignoreInstancesInErrorState: boolean
  readonly hostHaMetadataKey: string
}

/** What is done with a guest of a dead host. */
export interface Selected {
  readonly uuid: string
  readonly name: string
  readonly marked: boolean
}

export interface Selection {
  /** Guests to evacuate: those with the HA mark first, each group in the platform's order. */
  readonly evacuate: readonly Selected[]
  /** Guests that stay where they are, and why. */
  readonly leave: readonly { readonly uuid: string; readonly name: string; readonly because: string }[]
}

/**
 * Which guests of a dead host are brought elsewhere, in which order.
 *
 * Source: ha-api.md 12.4; order of 12.5 [DEV]. A guest that is bound to its host is left with the reason instead of
 * being broken.
 */
export function selectInstances(instances: readonly Instance[], policy: SelectionPolicy): Selection {
  const evacuate: Selected[] = []
  const leave: { uuid: string; name: string; because: string }[] = []
  for (const instance of instances) {
    const { uuid, name } = instance
    const marked = hasHaMark(instance.metadata, policy.hostHaMetadataKey)
    if (policy.ignoreInstancesInErrorState && instance.state === 'error') {
      leave.push({ uuid, name, because: 'it is in state error, and such guests are to be ignored' })
    } else if (!marked && !policy.evacuateAllInstances) {
      leave.push({ uuid, name, because: `it lacks the mark ${policy.hostHaMetadataKey}` })
    } else if (instance.boundBecause !== null) {
      leave.push({ uuid, name, because: `it cannot run elsewhere: ${instance.boundBecause}` })
    } else {
      evacuate.push({ uuid, name, marked })
    }
  }
  return { evacuate: [...evacuate.filter(({ marked }) => marked), ...evacuate.filter(({ marked }) => !marked)], leave }
}
