import { isJsonObject, parseJson } from '../../../core/json.ts'
import { createLogger, type Logger } from '../../../core/logging.ts'

/** A real logger whose lines a test reads. */
export class LogLines {
  readonly logger: Logger
  readonly #lines: { level: string; text: string }[] = []

  constructor() {
    this.logger = createLogger({ level: 'debug', format: 'json', destination: { write: (line) => this.#add(line) } })
  }

  /** The texts of one level, in order. */
  at(level: 'debug' | 'info' | 'warn' | 'error'): string[] {
    return this.#lines.filter((line) => line.level === level).map(({ text }) => text)
  }

  get all(): string[] {
    return this.#lines.map(({ text }) => text)
  }

  #add(line: string): void {
    const value = parseJson(line, 'a log line')
    if (!isJsonObject(value)) throw new TypeError('A log line is not an object.')
    const level = this.logger.levels.labels[Number(value['level'])] ?? ''
    this.#lines.push({ level, text: typeof value['msg'] === 'string' ? value['msg'] : '' })
  }
}
