import { monotonicMs, wallMs } from '../clock.ts'
import { stripTerminalCodes, type LogLine } from './log-line.ts'

const capacityBytes = 5 * 1024 * 1024

/** The lines of one stream in memory, at most 5 MiB: the oldest go first. The file beside it is complete. */
export class LogStore {
  readonly server: string
  readonly stream: string
  readonly #lines: LogLine[] = []
  #bytes = 0
  #first = 0

  constructor(server: string, stream: string) {
    this.server = server
    this.stream = stream
  }

  add(text: string, run: number, at: number = wallMs()): void {
    const line: LogLine = {
      at,
      monotonic: monotonicMs(),
      server: this.server,
      stream: this.stream,
      text: stripTerminalCodes(text),
      run,
    }
    this.#lines.push(line)
    this.#bytes += line.text.length
    while (this.#bytes > capacityBytes) this.#bytes -= this.#lines[this.#first++]!.text.length
    if (this.#first > 4096) {
      this.#lines.splice(0, this.#first)
      this.#first = 0
    }
  }

  lines(): LogLine[] {
    return this.#lines.slice(this.#first)
  }
}
