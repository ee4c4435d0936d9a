import type { Format } from '../format/format.ts'
import type { Dialect, EncodedEvent } from '../hub/dialect.ts'
import type { StreamEvent } from '../stream-event.ts'
import { DEFLATE_FROM_BYTES, STORED_BLOCK_HEADER_BYTES, deflate, writeStoredBlockHeader } from './deflate.ts'
import { OPCODE, frame, headerLength, textFrame, writeHeader } from './frame.ts'

const NOTHING = Buffer.alloc(0)
const COUNT_HEAD = Buffer.from('{"n":')

/** Of an event that is sent compressed. */
interface CompressedEvent extends EncodedEvent {
  readonly compressed: true
}

/** A format in text frames. Frames without a counter are made once; others need only their count put in. */
export function frameDialect(format: Format, { compression = false } = {}): Dialect {
  const { name, counted } = format
  const encode = counted
    ? (event: StreamEvent) => encodeCounted(format.event(event), compression)
    : (event: StreamEvent) => ({ head: NOTHING, tail: wholeFrame(format.event(event), compression) })
  return {
    transport: 'websocket',
    format: name,
    counted,
    encode,
    join: counted ? joinCounted : joinWhole,
    control: (control) => {
      const text = format.control(control)
      return text === undefined ? undefined : textFrame(text)
    },
  }
}

function encodeCounted(json: string, compression: boolean): EncodedEvent {
  const tail = Buffer.from(`,${json.slice(1)}`)
  if (!compression || tail.length < DEFLATE_FROM_BYTES) return { head: COUNT_HEAD, tail }
  const compressed: CompressedEvent = { head: COUNT_HEAD, tail: deflate(tail), compressed: true }
  return compressed
}

function wholeFrame(json: string, compression: boolean): Buffer {
  const payload = Buffer.from(json)
  if (!compression || payload.length < DEFLATE_FROM_BYTES) return frame(OPCODE.TEXT, payload)
  return frame(OPCODE.TEXT, deflate(payload), { compressed: true })
}

function joinWhole(events: readonly EncodedEvent[]): Buffer {
  return events.length === 1 ? events[0]!.tail : Buffer.concat(events.map(({ tail }) => tail))
}

/**
 * Puts the counters in. A compressed frame has its counter in a block that is stored as it is, before the blocks that
 * were compressed once for everybody.
 */
function joinCounted(events: readonly EncodedEvent[], firstN: number): Buffer {
  let total = 0
  for (let index = 0; index < events.length; index += 1) {
    const length = payloadLength(events[index]!, countDigits(firstN + index))
    total += headerLength(length) + length
  }
  const bytes = Buffer.allocUnsafe(total)
  let at = 0
  for (let index = 0; index < events.length; index += 1) {
    const { head, tail } = events[index]!
    const digits = countDigits(firstN + index)
    const compressed = 'compressed' in events[index]!
    const length = payloadLength(events[index]!, digits)
    at = writeHeader(bytes, at, { opcode: OPCODE.TEXT, length, compressed })
    if (compressed) at = writeStoredBlockHeader(bytes, at, head.length + digits)
    bytes.set(head, at)
    at = writeDigits(bytes, at + head.length, firstN + index, digits)
    bytes.set(tail, at)
    at += tail.length
  }
  return bytes
}

function payloadLength(event: EncodedEvent, digits: number): number {
  const length = event.head.length + digits + event.tail.length
  return 'compressed' in event ? length + STORED_BLOCK_HEADER_BYTES : length
}

/** How many digits a whole number above 0 has. */
export function countDigits(value: number): number {
  let digits = 1
  for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) digits += 1
  return digits
}

const DIGIT_ZERO = 0x30

/** Writes a whole number. @returns where it ends */
export function writeDigits(target: Buffer, at: number, value: number, digits: number): number {
  let rest = value
  for (let index = at + digits - 1; index >= at; index -= 1) {
    const next = Math.floor(rest / 10)
    target[index] = DIGIT_ZERO + (rest - next * 10)
    rest = next
  }
  return at + digits
}
