import { SystemClock } from '../../core/clock.ts'
import { SystemIds } from '../../core/ids.ts'
import { toJson, type JsonObject } from '../../core/json.ts'
import { formatZulu } from '../../core/timestamp.ts'

const clock = new SystemClock()
const ids = new SystemIds()

/** What an event has before anybody looks at its type. */
export interface EventStamp {
  /** A UUID. */
  readonly id?: string
  /** UTC, ISO 8601, `Z`. */
  readonly timestamp?: string
}

/** The frame as it goes to clients: these six members, in this order. */
export type CompatFrame = {
  readonly id: string
  readonly timestamp: string
  readonly event_type: string
  readonly source: string
  readonly node_name: string | null
  readonly data: JsonObject
}

/**
 * One event as clients of the compatible endpoint see it.
 *
 * Source: event-stream.md section 1.
 */
export class EventMessage {
  readonly id: string
  readonly timestamp: string
  readonly event_type: string
  readonly source: string
  readonly node_name: string | null
  readonly data: JsonObject

  /**
   * @param eventType may be empty
   * @param source `openstack` for notifications
   * @param stamp id and time of an event that has them already; otherwise it gets a random id and the present time
   */
  constructor(
    eventType: string,
    source: string,
    data: JsonObject,
    nodeName: string | null = null,
    stamp: EventStamp = {},
  ) {
    this.id = stamp.id ?? ids.random()
    this.timestamp = stamp.timestamp ?? formatZulu(clock.now())
    this.event_type = eventType
    this.source = source
    this.node_name = nodeName
    this.data = data
  }

  toDict(): CompatFrame {
    return {
      id: this.id,
      timestamp: this.timestamp,
      event_type: this.event_type,
      source: this.source,
      node_name: this.node_name,
      data: this.data,
    }
  }

  toJson(): string {
    return toJson(this.toDict())
  }
}

/** What is sent so that a silent connection is known to be alive. Source: event-stream.md section 3, R33. */
export function heartbeatMessage(source: string, stamp?: EventStamp): EventMessage {
  return new EventMessage('heartbeat', source, { message: 'ping' }, null, stamp)
}
