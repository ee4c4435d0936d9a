import { closeSync, openSync, writeFileSync } from 'node:fs'
import { isAbsolute, join } from 'node:path'
import { monotonicMs } from '../clock.ts'
import { TestkitError, reasonOf, systemCode } from '../errors.ts'
import type { LogSpec } from '../spec.ts'
import { FileTail } from './file-tail.ts'
import { LineSplitter } from './line-splitter.ts'
import type { LogLine } from './log-line.ts'
import { LogStore } from './log-store.ts'
import { mergeTimeline } from './timeline.ts'
import { timestampOf } from './timestamp.ts'

/** Which lines count, and how long to wait for one. */
export interface LogWait {
  readonly timeoutMs?: number
  /** `stdout`, `stderr`, or the name of a log file. */
  readonly stream?: string
  readonly sinceMonotonic?: number
  /** False: lines of earlier starts count too. Default true. */
  readonly thisRunOnly?: boolean
}

type Output = 'stdout' | 'stderr'

/** Everything that one server says: its output (also in files, complete), its log files, and what the kit did to it. */
export class ServerLogs {
  readonly #server: string
  readonly #logDir: string
  readonly #stores = new Map<string, LogStore>()
  readonly #splitters: Record<Output, LineSplitter>
  readonly #files = new Map<Output, number>()
  /** Streams whose file lacks something. */
  readonly #incomplete = new Set<Output>()
  readonly #tails: FileTail[] = []
  readonly #wakers = new Set<() => void>()
  readonly #hide: (text: string) => string
  #run = 0

  /** @param hide takes the secrets out of what is quoted in messages */
  constructor(server: string, logDir: string, files: readonly LogSpec[], hide: (text: string) => string) {
    this.#server = server
    this.#logDir = logDir
    this.#hide = hide
    this.#splitters = {
      stdout: new LineSplitter((line) => this.#add('stdout', line)),
      stderr: new LineSplitter((line) => this.#add('stderr', line)),
    }
    for (const file of files) {
      const path = isAbsolute(file.path) ? file.path : join(logDir, file.path)
      const emit = (line: string): void => this.#add(file.name, line, timestampOf(line, new Date()))
      this.#tails.push(new FileTail(path, emit, (reason) => this.note(`log ${file.name} cannot be read: ${reason}`)))
    }
  }

  /** A new start: lines from now on belong to it. */
  beginRun(): void {
    this.#run += 1
  }

  /** Bytes that the server wrote. They are in the file before anybody sees the line, if the file can be written. */
  write(stream: Output, chunk: Buffer): void {
    this.#writeFile(stream, chunk)
    this.#splitters[stream].write(chunk)
  }

  /** The process has ended: an unfinished line is a line. */
  endRun(): void {
    this.#splitters.stdout.end()
    this.#splitters.stderr.end()
    for (const tail of this.#tails) tail.poll()
  }

  /** What the kit did, as a line of the timeline. */
  note(text: string): void {
    this.#add('harness', text)
  }

  lines(options: { thisRunOnly?: boolean; sinceMonotonic?: number } = {}): LogLine[] {
    for (const tail of this.#tails) tail.poll()
    const { thisRunOnly = false, sinceMonotonic = 0 } = options
    return mergeTimeline([...this.#stores.values()].map((store) => store.lines())).filter(
      (line) => (!thisRunOnly || line.run === this.#run) && line.monotonic >= sinceMonotonic,
    )
  }

  /** The streams apart, as the cluster's timeline wants them. */
  streams(): LogLine[][] {
    for (const tail of this.#tails) tail.poll()
    return [...this.#stores.values()].map((store) => store.lines())
  }

  /** The text of one stream in this run. */
  text(stream: string): string {
    return this.lines({ thisRunOnly: true })
      .filter((line) => line.stream === stream)
      .map((line) => `${line.text}\n`)
      .join('')
  }

  /** Calls at each new line; returns the way to stop. */
  onLine(wake: () => void): () => void {
    this.#wakers.add(wake)
    return () => this.#wakers.delete(wake)
  }

  /** The first matching line of this run, now or within the time. Throws TK_NOT_READY. */
  async waitFor(pattern: RegExp, options: LogWait & { timeoutMs: number }): Promise<LogLine> {
    const { thisRunOnly = true, sinceMonotonic = 0 } = options
    const plain = new RegExp(pattern.source, pattern.flags.replaceAll(/[gy]/g, ''))
    const find = (): LogLine | undefined =>
      this.lines({ thisRunOnly, sinceMonotonic }).find(
        (line) =>
          line.stream !== 'harness' &&
          (options.stream === undefined || line.stream === options.stream) &&
          plain.test(line.text),
      )
    const deadline = monotonicMs() + options.timeoutMs
    let found = find()
    while (found === undefined && monotonicMs() < deadline) {
      await this.#nextLine(deadline - monotonicMs())
      found = find()
    }
    if (found !== undefined) return found
    throw new TestkitError(
      'TK_NOT_READY',
      `server "${this.#server}" wrote no line that matches ${String(pattern)} within ${options.timeoutMs} ms`,
      { details: this.tail(40) },
    )
  }

  /** The last lines of this run, for messages: without secrets. */
  tail(count: number): string {
    const text = this.lines({ thisRunOnly: true })
      .filter((line) => line.stream !== 'harness')
      .slice(-count)
      .map((line) => `${line.stream} | ${line.text}`)
      .join('\n')
    return this.#hide(text)
  }

  close(): void {
    this.endRun()
    for (const tail of this.#tails) tail.close()
    for (const fd of this.#files.values()) closeSync(fd)
    this.#files.clear()
  }

  /** Called for what arrives by itself, so nobody could catch an error: a full disk is told in the timeline, once. */
  #writeFile(stream: Output, chunk: Buffer): void {
    try {
      let fd = this.#files.get(stream)
      if (fd === undefined) {
        fd = openSync(join(this.#logDir, `${stream}.log`), 'a', 0o600)
        this.#files.set(stream, fd)
      }
      writeFileSync(fd, chunk)
    } catch (error) {
      if (systemCode(error) === undefined) throw error
      if (this.#incomplete.has(stream)) return
      this.#incomplete.add(stream)
      this.note(`${stream}.log is not complete: ${reasonOf(error)}`)
    }
  }

  #add(stream: string, text: string, at?: number): void {
    let store = this.#stores.get(stream)
    if (store === undefined) {
      store = new LogStore(this.#server, stream)
      this.#stores.set(stream, store)
    }
    store.add(text, this.#run, at)
    for (const wake of this.#wakers) wake()
  }

  async #nextLine(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => finish(), Math.min(ms, 500))
      const stop = this.onLine(() => finish())
      const finish = (): void => {
        clearTimeout(timer)
        stop()
        resolve()
      }
    })
  }
}
