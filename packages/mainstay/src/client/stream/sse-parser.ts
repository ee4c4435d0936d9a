/** One message of an event stream. */
export interface SseMessage {
  /** `message` unless the server named it. */
  readonly event: string
  readonly data: string
  /** The last id that was given, also by an earlier message. */
  readonly id: string
}

/**
 * Takes a text/event-stream apart as its pieces arrive, wherever they are cut.
 *
 * Source: WHATWG HTML 9.2.6, without `retry`, which is for those who cannot choose their own pauses.
 */
export class SseParser {
  #rest = ''
  #data: string[] = []
  #event = ''
  #id = ''

  /** @returns the messages that the piece completed; empty for comments and for what is not yet complete */
  push(piece: string): SseMessage[] {
    const messages: SseMessage[] = []
    this.#rest += piece
    for (;;) {
      const end = /\r\n|\n|\r(?!$)/.exec(this.#rest)
      if (end === null) return messages
      const line = this.#rest.slice(0, end.index)
      this.#rest = this.#rest.slice(end.index + end[0].length)
      const message = this.#line(line)
      if (message !== undefined) messages.push(message)
    }
  }

  #line(line: string): SseMessage | undefined {
    if (line === '') return this.#dispatch()
    const colon = line.indexOf(':')
    const field = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '')
    if (field === 'data') this.#data.push(value)
    if (field === 'event') this.#event = value
    if (field === 'id' && !value.includes('\0')) this.#id = value
    return undefined
  }

  #dispatch(): SseMessage | undefined {
    const [data, event] = [this.#data, this.#event]
    this.#data = []
    this.#event = ''
    if (data.length === 0) return undefined
    return { event: event === '' ? 'message' : event, data: data.join('\n'), id: this.#id }
  }
}
