import type { ControlFrame } from '../hub/control-frame.ts'
import type { StreamEvent } from '../stream-event.ts'

/** How a format writes things, whatever carries them. Source: event-stream.md R23. */
export interface Format {
  readonly name: string
  /** Whether data frames carry the counter of R12, as the first member of their object. */
  readonly counted: boolean
  /** An event as the text of a JSON object. */
  event(event: StreamEvent): string
  /** Something else as text, or undefined where the format has no word for it. */
  control(frame: ControlFrame): string | undefined
}
