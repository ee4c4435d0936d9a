import { toJson } from '../../core/json.ts'
import { eventJson } from '../stored-event.ts'
import type { Format } from './format.ts'

/** Mainstay's own format: everything that the log knows of an event, and the counter of R12. Source: event-stream.md R2. */
export const nativeFormat: Format = {
  name: 'native',
  counted: true,
  event: eventJson,
  control: toJson,
}
