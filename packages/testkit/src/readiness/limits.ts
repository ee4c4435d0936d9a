import type { Readiness } from './readiness.ts'

/**
 * How long is asked for a condition: its own time, else that of its parts (all of them: the longest, so that none is cut
 * short by the others), else the time of the start. Source: testkit.md A7, "each with timeoutMs".
 */
export function timeoutOf(readiness: Readiness, startMs: number): number {
  if (readiness.timeoutMs !== undefined) return readiness.timeoutMs
  const parts = partsOf(readiness)
  return parts.length === 0 ? startMs : Math.max(...parts.map((part) => timeoutOf(part, startMs)))
}

/** How often is asked: as often as the most impatient part wants. */
export function intervalOf(readiness: Readiness, usualMs: number): number {
  if (readiness.intervalMs !== undefined) return readiness.intervalMs
  const parts = partsOf(readiness)
  return parts.length === 0 ? usualMs : Math.min(...parts.map((part) => intervalOf(part, usualMs)))
}

/** The parts that must be fulfilled by now: without them more asking cannot help. */
export function overdueParts(readiness: Readiness, elapsedMs: number): readonly Readiness[] {
  if (!('all' in readiness)) return []
  return readiness.all.flatMap((part) =>
    part.timeoutMs !== undefined && part.timeoutMs <= elapsedMs ? [part] : overdueParts(part, elapsedMs),
  )
}

function partsOf(readiness: Readiness): readonly Readiness[] {
  if ('all' in readiness) return readiness.all
  return 'any' in readiness ? readiness.any : []
}
