import type { Severity } from '../../core/event.ts'

/** By oslo.messaging's priority, which is also the last segment of the routing key. */
const SEVERITIES: ReadonlyMap<string, Severity> = new Map([
  ['sample', 'debug'],
  ['debug', 'debug'],
  ['audit', 'info'],
  ['info', 'info'],
  ['warn', 'warning'],
  ['warning', 'warning'],
  ['error', 'error'],
  ['critical', 'critical'],
])

/**
 * How severe a notification is: what its priority says, `info` where it says nothing known, and at least `error` for a
 * type that ends in `.error`.
 *
 * Source: event-stream.md R16.
 */
export function notificationSeverity(eventType: string, priority: string | null): Severity {
  const severity = SEVERITIES.get(priority?.toLowerCase() ?? '') ?? 'info'
  const failed = eventType.slice(eventType.lastIndexOf('.') + 1) === 'error'
  return failed && severity !== 'critical' ? 'error' : severity
}
