import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'

import { errorMessage } from '../../core/errors.ts'
import { makeDirectory } from '../../core/make-directory.ts'
import { parseJson, toJson } from '../../core/json.ts'
import { ComputeUnavailableError } from '../errors.ts'
import { readFleetEvent, type FleetEvent } from './fleet-event.ts'

export const FLEET_LOG_NAME = 'fleet.jsonl'

/** Where the events of a fleet are kept. */
export interface FleetLog {
  /** Returns once the event survives the end of this process; throws when it does not. */
  append(event: FleetEvent): void
  close(): void
}

/** A fleet that is gone with the process. */
export function memoryLog(): FleetLog {
  return { append: () => undefined, close: () => undefined }
}

/**
 * The log in a file, one event on each line.
 *
 * A line is handed to the operating system before its effect is acknowledged, so it survives SIGKILL; it is not forced
 * to the disk, so it may not survive a power cut. A last line without its end was never acknowledged and is cut off.
 * One process at a time.
 */
export class FileLog implements FleetLog {
  readonly #path: string
  readonly #file: number
  #length: number

  private constructor(path: string, file: number, length: number) {
    this.#path = path
    this.#file = file
    this.#length = length
  }

  /**
   * Opens the log of a directory, which is made when it does not exist.
   *
   * @returns the log and the events that it holds
   * @throws InvalidInputError when a line is no event
   */
  static open(directory: string): { log: FileLog; events: FleetEvent[] } {
    makeDirectory(directory)
    const path = join(directory, FLEET_LOG_NAME)
    const file = openSync(path, 'a+', 0o600)
    try {
      const { events, length } = readLines(path)
      ftruncateSync(file, length)
      return { log: new FileLog(path, file, length), events }
    } catch (error) {
      closeSync(file)
      throw error
    }
  }

  append(event: FleetEvent): void {
    const line = Buffer.from(`${toJson(event)}\n`)
    try {
      for (let written = 0; written < line.length;) written += writeSync(this.#file, line, written)
    } catch (error) {
      ftruncateSync(this.#file, this.#length)
      throw new ComputeUnavailableError(
        `The simulated fleet cannot be written to ${this.#path}: ${errorMessage(error)} Nothing was changed.`,
        { cause: error },
      )
    }
    this.#length += line.length
  }

  close(): void {
    closeSync(this.#file)
  }
}

/**
 * The events in a log, for whoever judges a fleet from outside, also while it is written.
 *
 * @param directory that of the fleet
 * @throws InvalidInputError when a line is no event
 */
export function readFleetLog(directory: string): FleetEvent[] {
  return readLines(join(directory, FLEET_LOG_NAME)).events
}

function readLines(path: string): { events: FleetEvent[]; length: number } {
  const bytes = readFileSync(path)
  const length = bytes.lastIndexOf('\n') + 1
  const lines = bytes.toString('utf8', 0, length).split('\n').slice(0, -1)
  const events = lines.map((line, index) => {
    const what = `Line ${index + 1} of ${path}`
    return readFleetEvent(parseJson(line, what), what)
  })
  return { events, length }
}
