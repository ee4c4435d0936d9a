import { errorCode } from '../../core/errors.ts'
import { SpoolUnreadableError } from '../errors.ts'
import type { SpoolDirectory, SpoolFile } from './spool-directory.ts'
import { decodeSegment, encodeEntry, type SpoolEntry } from './spool-entry.ts'

const SEGMENT = /^spool-(\d{8})\.log$/
const UNFINISHED = /^spool-(\d{8})\.tmp$/

/**
 * The segment files of a spool.
 *
 *   no segment ──checkpoint──▶ appending ──grown past its limit──▶ checkpoint due ──checkpoint──▶ appending
 *        ▲                         │ a write or sync failed              │ failed
 *        └─────────────────────────┴─────────────────────────────────────┘
 *
 * A checkpoint is a new segment that begins with every undelivered record. It is written beside the others, synced,
 * given its name, and only then are the older segments removed, oldest first. After a failed write nothing is ever
 * appended to that segment again: what is on disk of it is unknown. So a new segment's number is above that of all that
 * is there, also above that of a checkpoint that an earlier run has not finished: its name would be opened behind the
 * torn text.
 *
 * Invariant: at any moment the segments on disk, read in order, hold every record that was reported as durable and is
 * not settled.
 */
export class SpoolLog {
  readonly #directory: SpoolDirectory
  readonly #segmentBytes: number
  #older: string[]
  #number: number
  #file: SpoolFile | undefined
  #name = ''
  #checkpointBytes = 0
  #appendedBytes = 0

  private constructor(directory: SpoolDirectory, segmentBytes: number, names: readonly string[]) {
    this.#directory = directory
    this.#segmentBytes = segmentBytes
    this.#older = [...names.filter((name) => UNFINISHED.test(name)), ...segmentsOf(names)]
    this.#number = Math.max(0, ...names.map(numberOf))
  }

  /**
   * Reads what an earlier run has left. A directory that cannot even be made holds nothing.
   *
   * @throws SpoolUnreadableError when there are segments that cannot be read
   */
  static async open(
    directory: SpoolDirectory,
    { segmentBytes }: { segmentBytes: number },
  ): Promise<{ log: SpoolLog; entries: SpoolEntry[]; damagedLines: number }> {
    const names = await listOrNothing(directory)
    const entries: SpoolEntry[] = []
    let damagedLines = 0
    for (const name of segmentsOf(names)) {
      const segment = decodeSegment(await readSegment(directory, name))
      entries.push(...segment.entries)
      damagedLines += segment.damagedLines
    }
    return { log: new SpoolLog(directory, segmentBytes, names), entries, damagedLines }
  }

  /** Whether the next write has to be a checkpoint. */
  get checkpointDue(): boolean {
    return this.#file === undefined || this.#appendedBytes > Math.max(this.#segmentBytes, this.#checkpointBytes)
  }

  /** Writes entries behind the others. A failure of the disk makes a checkpoint due. */
  async append(entries: readonly SpoolEntry[], { sync }: { sync: boolean }): Promise<void> {
    const file = this.#file
    if (file === undefined) throw new Error('the spool has no open segment: a checkpoint is due')
    const text = entries.map(encodeEntry).join('')
    try {
      await file.write(text)
      if (sync) await file.sync()
      this.#appendedBytes += Buffer.byteLength(text)
    } catch (error) {
      await this.#abandon()
      throw error
    }
  }

  /** Starts a new segment with these entries in place of all others. */
  async checkpoint(entries: readonly SpoolEntry[]): Promise<void> {
    await this.#abandon()
    this.#number += 1
    const name = `spool-${String(this.#number).padStart(8, '0')}`
    const text = entries.map(encodeEntry).join('')
    const file = await this.#directory.append(`${name}.tmp`)
    try {
      await file.write(text)
      await file.sync()
      await this.#directory.rename(`${name}.tmp`, `${name}.log`)
    } catch (error) {
      this.#older.unshift(`${name}.tmp`)
      this.#older.push(`${name}.log`)
      await closeQuietly(file)
      throw error
    }
    this.#file = file
    this.#name = `${name}.log`
    this.#checkpointBytes = Buffer.byteLength(text)
    this.#appendedBytes = 0
    for (let older = this.#older[0]; older !== undefined; older = this.#older[0]) {
      await this.#directory.remove(older)
      this.#older.shift()
    }
  }

  async close(): Promise<void> {
    await this.#file?.close()
    this.#file = undefined
  }

  async #abandon(): Promise<void> {
    const file = this.#file
    if (file === undefined) return
    this.#file = undefined
    this.#older.push(this.#name)
    await closeQuietly(file)
  }
}

/** Oldest first. */
function segmentsOf(names: readonly string[]): string[] {
  return names.filter((name) => SEGMENT.test(name)).sort()
}

/** 0 for a file that is none of the log's. */
function numberOf(name: string): number {
  return Number((SEGMENT.exec(name) ?? UNFINISHED.exec(name))?.[1] ?? 0)
}

/** The segment is given up because its disk fails; that closing it fails too says nothing new. */
async function closeQuietly(file: SpoolFile): Promise<void> {
  try {
    await file.close()
  } catch (error) {
    if (errorCode(error) === undefined) throw error
  }
}

async function listOrNothing(directory: SpoolDirectory): Promise<string[]> {
  try {
    return await directory.list()
  } catch (error) {
    const code = errorCode(error)
    if (code !== undefined && CANNOT_BE_MADE.has(code)) return []
    throw new SpoolUnreadableError(directory.path, '.', { cause: error })
  }
}

/** Errors of making a directory that is not there. A directory that is there but closed to us is another matter. */
const CANNOT_BE_MADE = new Set(['EROFS', 'ENOSPC', 'EDQUOT', 'ENOENT'])

async function readSegment(directory: SpoolDirectory, name: string): Promise<string> {
  try {
    return await directory.read(name)
  } catch (error) {
    throw new SpoolUnreadableError(directory.path, name, { cause: error })
  }
}
