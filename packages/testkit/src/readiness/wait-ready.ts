import { monotonicMs, pauseMs } from '../clock.ts'
import { intervalOf, overdueParts, timeoutOf } from './limits.ts'
import { describeReadiness, probeOnce, type ProbeResult, type ProbeTarget } from './probe.ts'
import type { Readiness } from './readiness.ts'

/** A single probe may not take longer than this, however much time is left. */
const longestProbeMs = 2000
const defaultIntervalMs = 50

/** What a wait has seen: the outcome, and what to tell when it was not the hoped one. */
export interface ReadinessOutcome {
  readonly ready: boolean
  readonly elapsedMs: number
  readonly probes: number
  /** "HTTP 503 after 37 probes" */
  readonly said: string
  readonly waitedFor: string
}

/**
 * Asks until the server is ready, has ended, or the time is up. The first look is immediate; every look is bounded; the
 * end of the process ends the wait at once. Source: testkit.md A7.
 *
 * @param options.ended aborts when the process has ended
 * @param options.wake called with a function that makes the next look happen now: a new log line, a notification
 */
export async function waitUntilReady(
  readiness: Readiness,
  target: ProbeTarget,
  options: { timeoutMs: number; ended: AbortSignal; wake?: (look: () => void) => () => void },
): Promise<ReadinessOutcome> {
  const startedAt = monotonicMs()
  const timeoutMs = timeoutOf(readiness, options.timeoutMs)
  const intervalMs = intervalOf(readiness, defaultIntervalMs)
  const elapsed = (): number => monotonicMs() - startedAt
  let nap = new AbortController()
  const stopWaking = options.wake?.(() => nap.abort())
  let probes = 0
  let last: ProbeResult = { ok: false, said: 'never asked' }
  try {
    while (!options.ended.aborted && elapsed() < timeoutMs) {
      nap = new AbortController()
      const limit = Math.min(longestProbeMs, timeoutMs - elapsed())
      const result = await endedOr(probeOnce(readiness, target, limit), options.ended, last)
      probes += 1
      // A look that our own limit cut short says less than the one before it.
      if (result.ok || probes === 1 || limit === longestProbeMs || elapsed() < timeoutMs) last = result
      if (last.ok || last.fatal === true) break
      const missed = await endedOr(firstMissed(overdueParts(readiness, elapsed()), target), options.ended, last)
      if (missed.fatal === true) {
        last = missed
        break
      }
      const rest = timeoutMs - elapsed()
      if (rest > 0) await pauseMs(Math.min(intervalMs, rest), AbortSignal.any([nap.signal, options.ended]))
    }
  } finally {
    stopWaking?.()
  }
  return {
    ready: last.ok && !options.ended.aborted,
    elapsedMs: elapsed(),
    probes,
    said: `${last.said} after ${probes} ${probes === 1 ? 'probe' : 'probes'}`,
    waitedFor: describeReadiness(readiness),
  }
}

/** A part whose own time is over and that is still not fulfilled ends the wait. */
async function firstMissed(overdue: readonly Readiness[], target: ProbeTarget): Promise<ProbeResult> {
  for (const part of overdue) {
    const { ok, said } = await probeOnce(part, target, longestProbeMs)
    if (!ok) return { ok, fatal: true, said: `${describeReadiness(part)} within ${part.timeoutMs} ms: ${said}` }
  }
  return { ok: false, said: 'nothing is overdue' }
}

/** The probe's result, or what was known before when the process ends first. */
async function endedOr(probe: Promise<ProbeResult>, ended: AbortSignal, before: ProbeResult): Promise<ProbeResult> {
  if (ended.aborted) return before
  let stop = (): void => undefined
  const end = new Promise<ProbeResult>((resolve) => {
    stop = () => resolve({ ...before, ok: false })
    ended.addEventListener('abort', stop, { once: true })
  })
  try {
    return await Promise.race([probe, end])
  } finally {
    ended.removeEventListener('abort', stop)
  }
}
