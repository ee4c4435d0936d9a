import type { Clock } from '../../core/clock.ts'
import type { Ids } from '../../core/ids.ts'
import { toJson } from '../../core/json.ts'
import { formatZulu } from '../../core/timestamp.ts'
import { DEFAULT_CLOUDEVENT_OPTIONS, formatCloudEvent, type CloudEventOptions } from './cloudevents.ts'
import type { Format } from './format.ts'

/**
 * CloudEvents in structured mode. What the stream says beside events is a CloudEvent as well, so that a client that
 * knows nothing else never meets a frame that is none.
 *
 * Source: event-stream.md R23, R25.
 */
export function cloudEventsFormat(
  { clock, ids }: { clock: Clock; ids: Ids },
  options: CloudEventOptions = DEFAULT_CLOUDEVENT_OPTIONS,
): Format {
  const prefix = options.typePrefix.replaceAll('{source}', 'mainstay')
  return {
    name: 'cloudevents',
    counted: false,
    event: (event) => formatCloudEvent(event, options),
    control: (frame) =>
      toJson({
        specversion: '1.0',
        id: ids.random(),
        source: '/mainstay/stream',
        type: `${prefix}stream.${frame.type}`,
        time: formatZulu(clock.now()),
        datacontenttype: 'application/json',
        data: frame,
      }),
  }
}
