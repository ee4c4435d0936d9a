import type { EngineOptions } from '../../journal/index.ts'
import type { Config } from './schema.ts'

/** The options of the engine of recoveries. */
export function engineOptions({ journal, server }: Config): EngineOptions {
  return {
    leaseMs: journal.lease_ms,
    pollMs: journal.poll_ms,
    maxConcurrent: journal.max_concurrent,
    // Workflows that do not let go must leave the time in which the engine ends its lease.
    stopTimeoutMs: server.shutdown_grace_ms / 2,
  }
}
