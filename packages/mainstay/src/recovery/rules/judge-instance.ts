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
 * Source: ha-api.md 13.2. Between a failed attempt and the next one its host may have been recovered, so a guest that
 * runs on another host by then has been brought back already, and stopping it would be a second failure.
 *
 * @param triedOn the host on which it was tried before; null in the first attempt
 */
export function planInstanceRecovery(
  instance: Instance,
  policy: InstancePolicy,
  triedOn: string | null = null,
): InstancePlan {
  if (triedOn !== null && instance.state === 'active' && instance.host !== triedOn) {
    const because = `guest ${instance.name} runs on host ${instance.host} since it was tried on host ${triedOn}`
    return { act: 'nothing', status: 'finished', because }
  }
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
