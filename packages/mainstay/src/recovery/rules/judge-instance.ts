import type { Instance } from '../../compute/index.ts'
import { hasHaMark } from './ha-mark.ts'

export interface InstancePolicy {
  readonly processAllInstances: boolean
  readonly instanceHaMetadataKey: string
}

/** What is done with a guest that failed. */
export type InstancePlan =
  | { readonly act: 'nothing'; readonly status: 'finished' | 'ignored'; readonly because: string }
  | { readonly act: 'restart'; readonly resetFirst: boolean; readonly stopFirst: boolean; readonly because: string }

/**
 * What is done with a guest that failed, given how it is now.
 *
 * Source: ha-api.md 13.2.
 */
export function planInstanceRecovery(instance: Instance, policy: InstancePolicy): InstancePlan {
  if (!policy.processAllInstances && !hasHaMark(instance.metadata, policy.instanceHaMetadataKey)) {
    const because = `guest ${instance.name} lacks the mark ${policy.instanceHaMetadataKey}, so it is left as it is`
    return { act: 'nothing', status: 'finished', because }
  }
  if (instance.state === 'paused' || instance.state === 'rescued') {
    const because = `guest ${instance.name} is ${instance.state}: somebody put it there, and it is left to them`
    return { act: 'nothing', status: 'ignored', because }
  }
  return {
    act: 'restart',
    resetFirst: instance.state === 'resized',
    stopFirst: instance.state !== 'stopped',
    because: `guest ${instance.name} is ${instance.state} and is started again`,
  }
}
