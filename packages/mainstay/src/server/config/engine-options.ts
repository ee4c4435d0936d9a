import type { EngineOptions } from '../../journal/index.ts'
import type { Config } from './schema.ts'

/**
 * How long workflows and machines may take to let go, in milliseconds: half of what a part of the program has to stop,
 * because those that do not must leave the time in which the lease on them is ended.
 */
export function lettingGoMs(server: Config['server']): number {
  return server.shutdown_grace_ms / 2
}

/** The options of the engine of recoveries. */
export function engineOptions({ journal, server }: Config): EngineOptions {
  return {
    leaseMs: journal.lease_ms,
    pollMs: journal.poll_ms,
    maxConcurrent: journal.max_concurrent,
    stopTimeoutMs: lettingGoMs(server),
  }
}
