import type { FleetEvent } from './fleet-event.ts'
import type { SimulatedGuest } from './world.ts'

/**
 * What becomes of an accepted act when its time has come. Pure.
 *
 * A host that went down meanwhile takes the act with it: nothing starts on a dead host.
 *
 * @param at milliseconds since the Unix epoch
 */
export function completionOf(guest: SimulatedGuest, at: number): FleetEvent | undefined {
  const { pending } = guest
  if (pending === null) return undefined
  const { act, key, fence, target, failsBecause } = pending
  const event = { at, instance: guest.uuid, host: target.name, key, fence }
  const why = failsBecause ?? (target.condition === 'serving' ? null : `Host ${target.name} went down meanwhile.`)
  if (why !== null) return { type: 'failed', ...event, why }
  if (act === 'start') return { type: 'started', ...event }
  if (act === 'stop') return { type: 'stopped', ...event }
  return { type: 'evacuated', ...event, source: guest.host.name, running: guest.state !== 'stopped' }
}
