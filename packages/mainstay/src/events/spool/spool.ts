import { open, readdir, rm, stat, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'

import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logging.ts'
import { makeDirectory } from '../../core/make-directory.ts'
import { EventSpoolFullError, EventSpoolUnwritableError } from '../errors.ts'
import type { NewStreamEvent } from '../stream-event.ts'
import { decodeRecord, encodeRecord, wholeLines } from './record.ts'

export interface EventSpoolOptions {
  /** Where its files lie; made if it is missing. Of this process alone. */
  readonly directory: string
  readonly logger: Logger
  /** The most bytes that wait; beyond it what comes is refused. */
  readonly maxBytes?: number
  /** A file is followed by another once it is this big. */
  readonly segmentBytes?: number
}

/** Source: event-stream.md R7. */
export const DEFAULT_SPOOL_BYTES = 256 * 1024 * 1024

/** How much is read of a file at first; more when a single record is longer. */
const WINDOW = 512 * 1024

const SEGMENT = /^spool-(\d{10})\.log$/

interface Segment {
  readonly number: number
  readonly path: string
  size: number
}

/**
 * Events that wait for the log, on disk, in the order of their coming.
 *
 *   append ──▶ newest file … oldest file ──peek, drop──▶ gone
 *
 * A file is deleted when all of it was dropped. Where the reading stood is not written down: after a crash the oldest
 * file is read again from its beginning, and the log drops what it has already. A record that was not written as a
 * whole was never acknowledged, so it is left out.
 *
 * Invariant: what `append` has returned for is on disk until it is dropped.
 *
 * Source: event-stream.md R7.
 */
export class EventSpool<Event extends object = NewStreamEvent> {
  readonly #options: EventSpoolOptions
  readonly #maxBytes: number
  readonly #segmentBytes: number
  readonly #segments: Segment[]
  #writing: FileHandle | undefined
  #appending = false
  /** How much of the oldest file was dropped. */
  #offset = 0

  private constructor(options: EventSpoolOptions, segments: Segment[]) {
    this.#options = options
    this.#maxBytes = options.maxBytes ?? DEFAULT_SPOOL_BYTES
    this.#segmentBytes = options.segmentBytes ?? 4 * 1024 * 1024
    this.#segments = segments
  }

  /** Finds what an earlier run has left. @throws EventSpoolUnwritableError */
  static async open<Event extends object = NewStreamEvent>(options: EventSpoolOptions): Promise<EventSpool<Event>> {
    const { directory } = options
    try {
      makeDirectory(directory, 0o700)
      const names = (await readdir(directory)).filter((name) => SEGMENT.test(name)).sort()
      const segments = names.map(async (name) => {
        const path = join(directory, name)
        return { number: Number(SEGMENT.exec(name)![1]), path, size: (await stat(path)).size }
      })
      const found = await Promise.all(segments)
      return new EventSpool<Event>(options, found)
    } catch (error) {
      throw new EventSpoolUnwritableError(directory, { cause: error })
    }
  }

  /** Bytes that wait. */
  get bytes(): number {
    return this.#segments.reduce((sum, { size }) => sum + size, 0) - this.#offset
  }

  get isEmpty(): boolean {
    return this.bytes <= 0
  }

  /**
   * Writes events behind all others and waits until they are on disk. One call at a time.
   *
   * @throws EventSpoolFullError, EventSpoolUnwritableError; then none of them is kept
   */
  async append(events: readonly Event[]): Promise<void> {
    const records = Buffer.concat(events.map(encodeRecord))
    if (this.bytes + records.length > this.#maxBytes)
      throw new EventSpoolFullError(this.#options.directory, this.#maxBytes)
    this.#appending = true
    try {
      const { file, segment } = await this.#openForWriting()
      await file.write(records, 0, records.length, segment.size)
      await file.datasync()
      segment.size += records.length
    } catch (error) {
      await this.#abandon()
      throw new EventSpoolUnwritableError(this.#options.directory, { cause: error })
    } finally {
      this.#appending = false
    }
  }

  /**
   * The oldest events that wait.
   *
   * @param limit how many at most
   * @returns the events, and the bytes that {@link EventSpool.drop} is to be told once they are in the log
   */
  async peek(limit: number): Promise<{ events: Event[]; bytes: number }> {
    for (;;) {
      const [segment] = this.#segments
      if (segment === undefined || this.isEmpty) return { events: [], bytes: 0 }
      const taken = (await this.#lines(segment)).slice(0, limit)
      const bytes = taken.reduce((sum, line) => sum + line.length + 1, 0)
      const events = taken.flatMap((line) => this.#decoded(line, segment))
      if (events.length > 0) return { events, bytes }
      // Nothing whole is left in it: a run that ended in the middle of a record left the rest.
      await this.drop(taken.length === 0 ? segment.size - this.#offset : bytes)
    }
  }

  /** Forgets the oldest bytes. */
  async drop(bytes: number): Promise<void> {
    this.#offset += bytes
    for (;;) {
      const [oldest] = this.#segments
      if (oldest === undefined || this.#offset < oldest.size) return
      // It is about to grow.
      if (this.#appending && this.#segments.length === 1) return
      this.#offset -= oldest.size
      this.#segments.shift()
      if (this.#segments.length === 0) await this.#abandon()
      await rm(oldest.path, { force: true })
    }
  }

  async close(): Promise<void> {
    await this.#abandon()
  }

  #decoded(line: Buffer, { path }: Segment): Event[] {
    const event = decodeRecord(line)
    if (event !== undefined) return [event as unknown as Event]
    const { logger } = this.#options
    logger.error({ path }, `A record of the event spool ${path} is damaged; the event that it held is lost.`)
    return []
  }

  /** The first whole lines that are not dropped yet of a file. */
  async #lines({ path, size }: Segment): Promise<Buffer[]> {
    const file = await open(path, 'r')
    try {
      for (let window = WINDOW; ; window *= 4) {
        const bytes = Buffer.alloc(Math.min(window, Math.max(0, size - this.#offset)))
        const { bytesRead } = await file.read(bytes, 0, bytes.length, this.#offset)
        const lines = wholeLines(bytes.subarray(0, bytesRead))
        if (lines.length > 0 || bytesRead < window) return lines
      }
    } finally {
      await file.close()
    }
  }

  async #openForWriting(): Promise<{ file: FileHandle; segment: Segment }> {
    const newest = this.#segments.at(-1)
    if (newest !== undefined && this.#writing !== undefined && newest.size < this.#segmentBytes) {
      return { file: this.#writing, segment: newest }
    }
    await this.#abandon()
    const number = (newest?.number ?? 0) + 1
    const path = join(this.#options.directory, `spool-${String(number).padStart(10, '0')}.log`)
    const segment = { number, path, size: 0 }
    this.#writing = await open(path, 'w', 0o600)
    this.#segments.push(segment)
    return { file: this.#writing, segment }
  }

  /** Lets go of the newest file: what comes goes into another, whatever a failed write has left in this one. */
  async #abandon(): Promise<void> {
    const file = this.#writing
    this.#writing = undefined
    try {
      await file?.close()
    } catch (error) {
      this.#options.logger.warn({ err: error }, `A file of the event spool could not be closed: ${errorMessage(error)}`)
    }
  }
}
