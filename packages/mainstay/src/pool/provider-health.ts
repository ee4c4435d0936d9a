import type { ProviderErrorClass } from './provider/errors.ts'

/**
 * What is remembered of how a provider does, as plain data.
 *
 * Its circuit:
 *
 *   closed ──quota, capacity, or too many failures in a row──▶ open until a time ──time over──▶ half open
 *      ▲                                                          ▲                              │ one probe at a time
 *      └───────────────────── probe succeeds ─────────────────────┼──────────────────────────────┤
 *                                                                 └───────── probe fails: longer ┘
 *
 * Attempts that began before it opened say nothing new: they neither close it nor open it longer.
 *
 * Beside that: `disabledBecause` is set by refused credentials and ends only by a person; `intervalMs` keeps attempts apart after
 * the provider said that they were too many.
 *
 * Source: vm-pool.md C11.
 */
export interface ProviderHealth {
  /** Moving average of attempts that gave a machine, 0 to 1, as of `updatedAt`. */
  readonly successRate: number
  /** Moving average of the time from an attempt to a machine, in milliseconds; null before the first. */
  readonly startMs: number | null
  readonly updatedAt: number
  readonly failuresInRow: number
  /** How often the circuit opened since it was last closed; 0 while it is closed. */
  readonly opens: number
  readonly openedAt: number
  readonly openUntil: number
  /** When the probe began that is under way, or null. */
  readonly probingSince: number | null
  readonly disabledBecause: string | null
  /** The least time between two attempts, in milliseconds; 0 where there is none. */
  readonly intervalMs: number
  readonly nextAttemptAt: number
}

export const NEW_PROVIDER_HEALTH: ProviderHealth = {
  successRate: 1,
  startMs: null,
  updatedAt: 0,
  failuresInRow: 0,
  opens: 0,
  openedAt: 0,
  openUntil: 0,
  probingSince: null,
  disabledBecause: null,
  intervalMs: 0,
  nextAttemptAt: 0,
}

export interface ProviderHealthOptions {
  /** The share of the newest attempt in the moving averages. */
  readonly alpha: number
  /** After this time without attempts half of the missing success rate is forgiven. */
  readonly forgiveHalfLifeMs: number
  /** So many failures in a row open the circuit; one refusal for quota or capacity does. */
  readonly openAfterFailures: number
  /** How long it stays open the first time; doubled each time, with jitter, up to the longest. */
  readonly openMinMs: number
  readonly openMaxMs: number
  /** A probe that has told nothing for this long is given up, and another may begin. */
  readonly probeTimeoutMs: number
  /** The first pause between attempts after the rate was too high; doubled each time, halved by each success. */
  readonly slowMinMs: number
  readonly slowMaxMs: number
}

export const DEFAULT_PROVIDER_HEALTH_OPTIONS: ProviderHealthOptions = {
  alpha: 0.2,
  forgiveHalfLifeMs: 600_000,
  openAfterFailures: 3,
  openMinMs: 30_000,
  openMaxMs: 1_800_000,
  probeTimeoutMs: 900_000,
  slowMinMs: 1_000,
  slowMaxMs: 300_000,
}

export interface AttemptFailure {
  readonly now: number
  /** When the attempt began. */
  readonly startedAt: number
  readonly class: ProviderErrorClass
  /** For the alarm. */
  readonly message: string
  /** How long the provider asked to be left alone, in milliseconds. */
  readonly retryAfterMs?: number | undefined
  /** A random number in [0, 1), for the jitter. */
  readonly chance: number
}

/** An attempt begins: it may be the probe of a half-open circuit, and it keeps the next one apart. */
export function attemptBegan(health: ProviderHealth, now: number): ProviderHealth {
  const nextAttemptAt = health.intervalMs > 0 ? now + health.intervalMs : health.nextAttemptAt
  return { ...health, probingSince: isOpen(health) ? now : null, nextAttemptAt }
}

export function attemptSucceeded(
  health: ProviderHealth,
  { now, startedAt }: { readonly now: number; readonly startedAt: number },
  options: ProviderHealthOptions,
): ProviderHealth {
  const { alpha, slowMinMs } = options
  const tookMs = Math.max(0, now - startedAt)
  const intervalMs = health.intervalMs / 2 < slowMinMs ? 0 : health.intervalMs / 2
  const averaged = {
    ...health,
    successRate: average(successRateAt(health, now, options), 1, alpha),
    startMs: health.startMs === null ? tookMs : average(health.startMs, tookMs, alpha),
    updatedAt: now,
    failuresInRow: 0,
    intervalMs,
    nextAttemptAt: intervalMs === 0 ? 0 : health.nextAttemptAt,
  }
  return isOldNews(health, startedAt) ? averaged : { ...averaged, ...CLOSED }
}

export function attemptFailed(
  health: ProviderHealth,
  failure: AttemptFailure,
  options: ProviderHealthOptions,
): ProviderHealth {
  const { now } = failure
  const ended = isOldNews(health, failure.startedAt) ? health : { ...health, probingSince: null }
  switch (failure.class) {
    case 'invalid':
      return ended
    case 'authentication':
      return { ...ended, disabledBecause: failure.message }
    case 'rate_limit': {
      const intervalMs = Math.min(options.slowMaxMs, Math.max(options.slowMinMs, health.intervalMs * 2))
      const pauseMs = Math.max(intervalMs, failure.retryAfterMs ?? 0)
      return { ...ended, intervalMs, nextAttemptAt: Math.max(health.nextAttemptAt, now + pauseMs) }
    }
    case 'quota':
    case 'capacity':
      return opened(worse(ended, now, options), failure, options)
    case 'transient': {
      const after = worse(ended, now, options)
      const probeFailed = isOpen(health)
      return probeFailed || after.failuresInRow >= options.openAfterFailures ? opened(after, failure, options) : after
    }
  }
}

/** An attempt ended without telling anything about the provider: we were told to stop. Another may probe. */
export function attemptAbandoned(health: ProviderHealth): ProviderHealth {
  return { ...health, probingSince: null }
}

/** A person repaired the credentials, or wants it tried now whatever it did before. */
export function enabledAgain(health: ProviderHealth): ProviderHealth {
  return { ...health, ...CLOSED, disabledBecause: null, failuresInRow: 0, intervalMs: 0, nextAttemptAt: 0 }
}

/** Whether the circuit is open or half open. */
export function isOpen({ opens }: ProviderHealth): boolean {
  return opens > 0
}

/** The success rate now: what is missing from it is forgiven with time, or a bad hour would count for ever. */
export function successRateAt(
  { successRate, updatedAt }: ProviderHealth,
  now: number,
  { forgiveHalfLifeMs }: ProviderHealthOptions,
): number {
  return 1 - (1 - successRate) * 2 ** (-Math.max(0, now - updatedAt) / forgiveHalfLifeMs)
}

/**
 * How long the circuit stays open the nth time: twice as long each time and up to half as much again by chance, never less
 * than the shortest nor more than the longest.
 */
export function openForMs(
  opens: number,
  chance: number,
  { openMinMs, openMaxMs }: Pick<ProviderHealthOptions, 'openMinMs' | 'openMaxMs'>,
): number {
  const doubled = openMinMs * 2 ** Math.min(opens - 1, 50)
  return Math.max(openMinMs, Math.min(doubled, openMaxMs / 1.5)) * (1 + chance / 2)
}

const CLOSED = { opens: 0, openedAt: 0, openUntil: 0, probingSince: null } as const

function opened(health: ProviderHealth, failure: AttemptFailure, options: ProviderHealthOptions): ProviderHealth {
  if (isOldNews(health, failure.startedAt)) return health
  const opens = health.opens + 1
  const pauseMs = Math.max(openForMs(opens, failure.chance, options), failure.retryAfterMs ?? 0)
  return { ...health, opens, openedAt: failure.now, openUntil: failure.now + pauseMs, probingSince: null }
}

/** Whether an attempt began before the circuit opened. */
function isOldNews(health: ProviderHealth, startedAt: number): boolean {
  return isOpen(health) && startedAt < health.openedAt
}

function worse(health: ProviderHealth, now: number, options: ProviderHealthOptions): ProviderHealth {
  const successRate = average(successRateAt(health, now, options), 0, options.alpha)
  return { ...health, successRate, updatedAt: now, failuresInRow: health.failuresInRow + 1 }
}

function average(before: number, newest: number, alpha: number): number {
  return before + alpha * (newest - before)
}
