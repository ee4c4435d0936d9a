import { UsageError } from './errors.ts'

const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/**
 * Reads a duration: `500ms`, `30s`, `10m`, `2h`, `1d`; a bare number is seconds.
 *
 * @returns milliseconds
 * @throws UsageError when the text is no duration
 */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)?$/.exec(text.trim())
  if (match === null) throw new UsageError(`"${text}" is no duration; write it as 500ms, 30s, 10m, 2h or 1d.`)
  const unit = (match[2] ?? 's') as keyof typeof UNIT_MS
  return Number(match[1]) * UNIT_MS[unit]
}

/** Writes a duration for people: `350 ms`, `4.2 s`, `3 min 05 s`, `2 h 10 min`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`
  const minutes = Math.round(seconds / 60)
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`
}
