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
