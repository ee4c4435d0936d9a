import { StringDecoder } from 'node:string_decoder'

/** A longer line is cut into pieces of this length, so that output without a newline does not fill the memory. */
const longestLine = 64 * 1024

/** Turns chunks of bytes into lines; a character or a line may be split anywhere. */
export class LineSplitter {
  readonly #decoder = new StringDecoder('utf8')
  readonly #emit: (line: string) => void
  #rest = ''

  constructor(emit: (line: string) => void) {
    this.#emit = emit
  }

  write(chunk: Buffer): void {
    this.#rest += this.#decoder.write(chunk)
    let start = 0
    for (let end = this.#rest.indexOf('\n'); end >= 0; end = this.#rest.indexOf('\n', start)) {
      this.#emit(this.#rest.slice(start, end))
      start = end + 1
    }
    this.#rest = this.#rest.slice(start)
    while (this.#rest.length > longestLine) {
      this.#emit(this.#rest.slice(0, longestLine))
      this.#rest = this.#rest.slice(longestLine)
    }
  }

  /** What is left when the stream ends is a line too. */
  end(): void {
    this.#rest += this.#decoder.end()
    if (this.#rest !== '') this.#emit(this.#rest)
    this.#rest = ''
  }
}
