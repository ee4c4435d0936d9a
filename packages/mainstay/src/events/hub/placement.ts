import type { JsonObject } from '../../core/json.ts'
import type { EventLog, LogExtent } from '../log.ts'
import type { ControlFrame } from './control-frame.ts'
import type { HubOptions } from './options.ts'
import { startFrom, type Since, type Start } from './since.ts'
import type { Subscription } from './subscription.ts'

/** Where a client begins, and in which history. */
export interface Placement {
  readonly start: Start
  readonly extent: LogExtent
}

/**
 * Finds the place of a client in the log. One that wants only news begins where this node stands, which may be behind
 * what the log holds; the log is not asked for that.
 *
 * @param here what this node shows
 * @throws EventLogUnavailableError
 */
export async function findPlace(
  since: Since,
  here: LogExtent,
  log: Pick<EventLog, 'extent' | 'seqBefore'>,
): Promise<Placement> {
  const extent = since.kind === 'latest' ? here : await log.extent()
  const seqBefore = since.kind === 'time' ? await log.seqBefore(since) : 0
  return { extent, start: startFrom(since, extent, { head: here.head, seqBefore }) }
}

/** The first frame of a stream. Source: event-stream.md R9. */
export function helloFrame(
  { extent, start }: Placement,
  client: { connectionId: string; subscription: Subscription; limits: JsonObject },
  { heartbeatMs, softLimitBytes, hardLimitBytes, hardLimitFrames }: HubOptions,
): ControlFrame {
  const { epoch, head, oldest } = extent
  return {
    type: 'hello',
    connection_id: client.connectionId,
    epoch,
    head,
    oldest,
    cursor: `${epoch}:${start.position}`,
    resumed: start.resumed,
    replay_from: start.replays ? start.position + 1 : null,
    heartbeat_ms: heartbeatMs,
    format: client.subscription.dialect.format,
    policy: client.subscription.policy,
    scope: client.subscription.scope.all ? 'all' : 'projects',
    limits: {
      ...client.limits,
      soft_limit_bytes: softLimitBytes,
      hard_limit_bytes: hardLimitBytes,
      hard_limit_frames: hardLimitFrames,
    },
  }
}
