import { open, type FileHandle } from 'node:fs/promises'

import type { Clock } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logging.ts'

/**
 * Flushes SQLite's write-ahead log some time after the first commit that is not on disk yet, beside the event loop
 * instead of inside a commit.
 */
export class WalFlusher {
  readonly #path: string
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #intervalMs: number
  #file: FileHandle | undefined
  #timer: Disposable | undefined
  #flushing: Promise<void> | undefined
  #dirty = false

  constructor(database: string, deps: { clock: Clock; logger: Logger; intervalMs: number }) {
    this.#path = `${database}-wal`
    this.#clock = deps.clock
    this.#logger = deps.logger
    this.#intervalMs = deps.intervalMs
  }

  /** Something was committed. */
  committed(): void {
    this.#dirty = true
    this.#timer ??= this.#clock.after(this.#intervalMs, () => void this.#tick())
  }

  /** Flushes what is left and closes the file. */
  async close(): Promise<void> {
    this.#timer?.[Symbol.dispose]()
    await this.#flushing
    await this.#flush()
    await this.#file?.close()
    this.#file = undefined
  }

  async #tick(): Promise<void> {
    this.#flushing = this.#flush()
    await this.#flushing
    this.#flushing = undefined
    this.#timer = undefined
    if (this.#dirty) this.committed()
  }

  async #flush(): Promise<void> {
    if (!this.#dirty) return
    this.#dirty = false
    try {
      this.#file ??= await open(this.#path, 'r')
      await this.#file.datasync()
    } catch (error) {
      this.#logger.error(
        { err: error },
        `The event log could not be flushed to disk: ${errorMessage(error)}. Events of the last moments would be lost if the power failed now.`,
      )
    }
  }
}
