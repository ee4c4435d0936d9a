/**
 * Reads `Retry-After`: a number of seconds, or an HTTP date.
 *
 * Source: RFC 9110 10.2.3.
 *
 * @param nowMs milliseconds since the Unix epoch
 * @returns the pause in milliseconds, or undefined when there is no such wish
 */
export function retryAfterMs(header: string | null, nowMs: number): number | undefined {
  const text = header?.trim() ?? ''
  if (/^\d+$/.test(text)) return Number(text) * 1000
  const at = text.endsWith(' GMT') ? Date.parse(text) : Number.NaN
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs)
}
