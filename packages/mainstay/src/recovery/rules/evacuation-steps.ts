import type { Instance, InstanceState } from '../../compute/index.ts'

/** What has to be done around the evacuation of one guest so that it ends in the state it was in. */
export interface EvacuationSteps {
  /** The platform is told that the guest is in error, which makes a guest in any state evacuable. */
  readonly resetBefore: boolean
  /** The guest is stopped on its new host. */
  readonly stopAfter: boolean
  /** The platform is told again that the guest is in error, because it was. */
  readonly resetAfter: boolean
}

/**
 * The table of states of ha-api.md 12.5, step 2. A resized guest is stopped afterwards only if it was shut down; this
 * port does not tell, so it is treated as running, which is what a resized guest usually is.
 *
 * A guest whose evacuation failed before, or is under way, is as we made it; it ends as it was before we came.
 *
 * @param before the guest when this recovery first saw it
 */
export function evacuationSteps(
  { state, taskState }: Pick<Instance, 'state' | 'taskState'>,
  before: Pick<Instance, 'state'> = { state },
): EvacuationSteps {
  const busy = taskState !== null
  if ((state === 'error' || busy) && before.state !== state) {
    const ran = before.state === 'active' || before.state === 'resized'
    return { resetBefore: busy, stopAfter: !ran, resetAfter: before.state === 'error' }
  }
  switch (state) {
    case 'active':
      return { resetBefore: busy, stopAfter: false, resetAfter: false }
    case 'stopped':
      return { resetBefore: busy, stopAfter: busy, resetAfter: false }
    case 'error':
      return { resetBefore: busy, stopAfter: true, resetAfter: true }
    case 'resized':
      return { resetBefore: true, stopAfter: false, resetAfter: false }
    default:
      return { resetBefore: true, stopAfter: true, resetAfter: false }
  }
}

/**
 * Whether an evacuated guest is where and how it should be.
 *
 * @param remembered its state when the evacuation was asked for
 * @throws Error when it went into error on the way
 *
 * Source: ha-api.md 12.5, step 4.
 */
export function hasArrived(instance: Instance, source: string, remembered: InstanceState): boolean {
  if (instance.state === 'error' && remembered !== 'error') {
    throw new Error(`guest ${instance.name} went into error while it was evacuated`)
  }
  if (instance.host === source) return false
  return instance.state === remembered || (remembered === 'error' && instance.state === 'active')
}
