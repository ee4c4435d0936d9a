import type { LabelOptions } from '../options.ts'
import {
  DEFAULT_PROFILE_OPTIONS,
  expectedDemand,
  trendOf,
  type DemandProfile,
  type ProfileOptions,
} from './demand-profile.ts'

export interface ForecastOptions extends ProfileOptions {
  /** How long a machine takes from its request to being ready, in milliseconds: so far ahead one has to look. */
  readonly leadMs: number
  /** How many standard deviations more than expected are kept, taking arrivals as independent. */
  readonly safety: number
}

export const DEFAULT_FORECAST_OPTIONS: ForecastOptions = { ...DEFAULT_PROFILE_OPTIONS, leadMs: 300_000, safety: 2 }

export interface IdleForecast {
  /** Clean machines to have idle; never below `min_ready`, never above `max_ready`. */
  readonly idle: number
  /** Machines that are likely to be asked for until a new one could be ready; null while nothing is known. */
  readonly expected: number | null
  readonly because: string
}

/**
 * How many machines to have idle so that those who come before a new one could be ready find one. It only raises the
 * minimum, and only up to `max_ready`; without a `max_ready` it has no room and says so.
 *
 * Source: vm-pool.md C13.
 */
export function forecastIdle(
  profile: DemandProfile,
  now: number,
  { minReady, maxReady }: Pick<LabelOptions, 'minReady' | 'maxReady'>,
  options: ForecastOptions = DEFAULT_FORECAST_OPTIONS,
): IdleForecast {
  const expected = expectedDemand(profile, now, now + options.leadMs, options)
  if (expected === null) return { idle: minReady, expected, because: 'this time of the week was never seen yet' }
  const wanted = expected === 0 ? 0 : Math.ceil(expected + options.safety * Math.sqrt(expected))
  const idle = Math.min(Math.max(minReady, wanted), Math.max(minReady, maxReady))
  const numbers = `${expected.toFixed(1)} expected within ${options.leadMs} ms, trend ${trendOf(profile, options).toFixed(2)}`
  const bounded = idle === wanted ? '' : `, within min_ready ${minReady} and max_ready ${maxReady}`
  return { idle, expected, because: `${numbers}${bounded}` }
}
