import type { Format } from '../format/format.ts'
import type { ControlFrame } from '../hub/control-frame.ts'
import type { Dialect, EncodedEvent } from '../hub/dialect.ts'
import type { StreamEvent } from '../stream-event.ts'

const NOTHING = Buffer.alloc(0)

export interface TextDialectOptions {
  /** Whether data events are named after their type, or are all `message`. */
  readonly named: boolean
}

/**
 * A format as `text/event-stream`: one event in each block, its cursor as `id`.
 *
 * Source: event-stream.md R24; HTML, 9.2.
 */
export function textDialect(format: Format, { named }: TextDialectOptions): Dialect {
  const { counted } = format
  return {
    transport: 'sse',
    format: format.name,
    counted,
    encode: (event) => {
      const json = format.event(event)
      const before = `id: ${event.cursor}\n${named ? `event: ${oneLine(eventName(event))}\n` : ''}data: `
      return counted
        ? { head: Buffer.from(`${before}{"n":`), tail: Buffer.from(`,${json.slice(1)}\n\n`) }
        : { head: NOTHING, tail: Buffer.from(`${before}${json}\n\n`) }
    },
    join: (events, firstN) => join(events, counted ? firstN : undefined),
    control: (frame) => {
      if (frame.type === 'heartbeat') return Buffer.from(': heartbeat\n\n')
      const data = format.control(frame)
      return data === undefined ? undefined : Buffer.from(`event: ${frame.type}\n${idOf(frame)}data: ${data}\n\n`)
    },
  }
}

/** An event without a type would be named `message` by the browser in any case. */
function eventName({ event_type: type }: StreamEvent): string {
  return type === '' ? 'message' : type
}

/** A name must not end its line: what follows would be read as another field. */
function oneLine(text: string): string {
  return text.replaceAll(/[\r\n]/g, ' ')
}

/** Frames that move the place of a client tell it, so that a browser comes back there. */
function idOf(frame: ControlFrame): string {
  return frame.type === 'hello' || frame.type === 'bookmark' || frame.type === 'reset' ? `id: ${frame.cursor}\n` : ''
}

function join(events: readonly EncodedEvent[], firstN: number | undefined): Buffer {
  return Buffer.concat(
    events.flatMap(({ head, tail }, index) =>
      firstN === undefined ? [tail] : [head, Buffer.from(String(firstN + index)), tail],
    ),
  )
}
