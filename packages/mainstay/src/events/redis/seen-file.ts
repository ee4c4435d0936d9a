import { readFileSync } from 'node:fs'
import { rename, writeFile } from 'node:fs/promises'

import type { Clock } from '../../core/clock.ts'
import { errorCode, errorMessage } from '../../core/errors.ts'
import { isJsonObject, parseJson, toJson } from '../../core/json.ts'
import type { Logger } from '../../core/logging.ts'
import type { Seen } from './commands.ts'

/** How long a newer place may go without being written down. */
const WRITE_AFTER_MS = 1000

/**
 * What a node has last seen of the log, across its restarts: without it, a Redis that is put back to an older copy
 * while no node runs would give out places once more in the same epoch.
 *
 * Source: event-stream.md R6.
 */
export class SeenFile implements AsyncDisposable {
  readonly #path: string
  readonly #clock: Clock
  readonly #logger: Logger
  #latest: Seen | undefined
  #timer: Disposable | undefined
  #writing: Promise<void> = Promise.resolve()

  constructor(path: string, { clock, logger }: { clock: Clock; logger: Logger }) {
    this.#path = path
    this.#clock = clock
    this.#logger = logger
  }

  /** What an earlier run has seen; undefined when there was none, or when its file cannot be read. */
  load(): Seen | undefined {
    try {
      const value = parseJson(readFileSync(this.#path, 'utf8'), this.#path)
      if (!isJsonObject(value)) return undefined
      const { epoch, seq, id } = value
      return typeof epoch === 'string' && Number.isSafeInteger(seq) && typeof id === 'string'
        ? { epoch, seq: Number(seq), id }
        : undefined
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') {
        this.#logger.warn({ err: error }, `What was last seen of the event log is not known: ${errorMessage(error)}`)
      }
      return undefined
    }
  }

  /** Writes it down a little later, together with what comes until then. */
  note(seen: Seen): void {
    this.#latest = seen
    this.#timer ??= this.#clock.after(WRITE_AFTER_MS, () => {
      this.#timer = undefined
      this.#write()
    })
  }

  /** Writes what is not written yet. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#timer?.[Symbol.dispose]()
    this.#write()
    await this.#writing
  }

  #write(): void {
    const seen = this.#latest
    if (seen === undefined) return
    this.#latest = undefined
    this.#writing = this.#writing.then(async () => await this.#replace(seen))
  }

  async #replace(seen: Seen): Promise<void> {
    try {
      await writeFile(`${this.#path}.new`, `${toJson(seen)}\n`)
      await rename(`${this.#path}.new`, this.#path)
    } catch (error) {
      const text = `What was last seen of the event log could not be written down: ${errorMessage(error)}`
      this.#logger.warn({ err: error }, text)
    }
  }
}
