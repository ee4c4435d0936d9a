import type { Clock } from '../../core/clock.ts'

/** The time as the reference stores it: unix seconds, as a number with a fraction. */
export function seconds(clock: Clock): number {
  return clock.now() / 1000
}
