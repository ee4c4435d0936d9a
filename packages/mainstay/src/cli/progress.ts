import type { CliContext } from './context.ts'

/** One line on the terminal's standard error that says what is being waited for; nothing in a pipe. */
export class ProgressLine {
  readonly #context: CliContext
  #shown = ''

  constructor(context: CliContext) {
    this.#context = context
  }

  show(text: string): void {
    if (this.#context.process.stderr.isTTY !== true || text === this.#shown) return
    this.#shown = text
    this.#context.process.stderr.write(`\r\u001B[K${text}`)
  }

  [Symbol.dispose](): void {
    if (this.#shown !== '') this.#context.process.stderr.write('\r\u001B[K')
    this.#shown = ''
  }
}
