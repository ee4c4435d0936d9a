import type { Severity } from '../../core/event.ts'

/** From the least severe. Source: event-stream.md R16. */
const RANKS: Readonly<Record<Severity, number>> = { debug: 10, info: 20, warning: 30, error: 40, critical: 50 }

/** A number that grows with the severity. */
export function severityRank(severity: Severity): number {
  return RANKS[severity]
}

export function isSeverity(text: unknown): text is Severity {
  return typeof text === 'string' && Object.hasOwn(RANKS, text)
}

export const SEVERITIES = Object.keys(RANKS) as readonly Severity[]
