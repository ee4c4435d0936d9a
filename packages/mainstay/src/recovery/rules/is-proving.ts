import { isJsonObject } from '../../core/json.ts'
import type { RecordedEntry } from '../../journal/index.ts'

/**
 * Whether a recovery that was held is looking again at this moment: it hears a person's word as soon as the look is over,
 * so it counts as waiting. Pure.
 *
 * @param history of a recovery that is running
 */
export function isProvingAgain(history: readonly RecordedEntry[]): boolean {
  const held = history.findLastIndex((entry) => entry.kind === 'wait' && entry.data.held !== null)
  if (held === -1) return false
  return !history.slice(held).some((entry) => entry.kind === 'decision' && provesDeath(entry.data.verdict))
}

/** A certificate, or a verdict that holds one. */
function provesDeath(verdict: unknown): boolean {
  if (!isJsonObject(verdict)) return false
  return 'validUntil' in verdict || isJsonObject(verdict['certificate'])
}
