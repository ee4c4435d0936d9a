import type { Readiness } from './readiness.ts'

/**
 * The condition for a server object of the test process. What it prints is not seen, and it gets no socket for a
 * notification: that its function has resolved says the same. Source: testkit.md A13.
 */
export function readinessInline(readiness: Readiness): Readiness {
  if ('log' in readiness || 'notify' in readiness) return { fn: async () => true }
  const { timeoutMs, intervalMs } = readiness
  const timing = {
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(intervalMs === undefined ? {} : { intervalMs }),
  }
  if ('all' in readiness) return { ...timing, all: readiness.all.map(readinessInline) }
  if ('any' in readiness) return { ...timing, any: readiness.any.map(readinessInline) }
  return readiness
}
