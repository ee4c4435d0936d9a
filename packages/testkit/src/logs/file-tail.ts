import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs'
import { reasonOf, systemCode } from '../errors.ts'
import { LineSplitter } from './line-splitter.ts'

const pollMs = 100

/**
 * Follows a log file that a server writes itself: through renaming (the rest of the old file is read first, then the
 * new one from its start) and through truncation (reading starts again at 0).
 */
export class FileTail {
  readonly #path: string
  readonly #splitter: LineSplitter
  readonly #timer: NodeJS.Timeout
  readonly #buffer = Buffer.alloc(64 * 1024)
  readonly #onTrouble: (reason: string) => void
  #isTroubleTold = false
  #open: { fd: number; inode: number; position: number } | undefined
  #closed = false

  /** @param onTrouble told once, why the file cannot be read; it is tried again all the same */
  constructor(path: string, emit: (line: string) => void, onTrouble: (reason: string) => void) {
    this.#path = path
    this.#onTrouble = onTrouble
    this.#splitter = new LineSplitter(emit)
    this.#timer = setInterval(() => this.poll(), pollMs)
    this.#timer.unref()
  }

  /** Reads what is there now; called by the timer, and by whoever needs the newest lines. */
  poll(): void {
    if (this.#closed) return
    try {
      this.#read()
    } catch (error) {
      // Nobody could catch what the timer throws.
      if (systemCode(error) === undefined) throw error
      if (this.#isTroubleTold) return
      this.#isTroubleTold = true
      this.#onTrouble(reasonOf(error))
    }
  }

  close(): void {
    clearInterval(this.#timer)
    this.poll()
    this.#splitter.end()
    if (this.#open !== undefined) closeSync(this.#open.fd)
    this.#open = undefined
    this.#closed = true
  }

  #read(): void {
    this.#open ??= this.#openFile()
    if (this.#open === undefined) return
    this.#drain()
    const current = statQuietly(this.#path)
    if (current !== undefined && current.ino !== this.#open.inode) {
      // Renamed since we read: what was written in between is still in the old file.
      this.#drain()
      closeSync(this.#open.fd)
      this.#open = undefined
      this.#splitter.end()
      this.#open = this.#openFile()
      this.#drain()
    }
  }

  #openFile(): { fd: number; inode: number; position: number } | undefined {
    try {
      const fd = openSync(this.#path, 'r')
      return { fd, inode: fstatSync(fd).ino, position: 0 }
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined
      throw error
    }
  }

  #drain(): void {
    const file = this.#open
    if (file === undefined) return
    if (fstatSync(file.fd).size < file.position) file.position = 0
    for (;;) {
      const read = readSync(file.fd, this.#buffer, 0, this.#buffer.length, file.position)
      if (read === 0) return
      file.position += read
      this.#splitter.write(Buffer.from(this.#buffer.subarray(0, read)))
    }
  }
}

function statQuietly(path: string): { ino: number } | undefined {
  return statSync(path, { throwIfNoEntry: false })
}
