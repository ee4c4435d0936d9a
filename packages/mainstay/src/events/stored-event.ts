import { isJsonObject, parseJson, toJson, type JsonObject } from '../core/json.ts'
import type { Severity } from '../core/event.ts'
import type { NewStreamEvent, StreamEvent } from './stream-event.ts'

/**
 * An event as a log gives it out: its JSON text, taken apart only when somebody looks inside. A replay that filters
 * nothing copies texts from the store to the socket and parses none of them.
 *
 * Its members are getters: write it out with `eventJson` (or `toJson`), copy it with `toJSON()`, not with a spread.
 */
export class StoredEvent implements StreamEvent {
  readonly seq: number
  readonly epoch: string
  /** The JSON of the event without its place in the log. */
  readonly text: string
  #parsed: NewStreamEvent | undefined

  /** @param event what `text` says, where that is known */
  constructor(place: { readonly seq: number; readonly epoch: string }, text: string, event?: NewStreamEvent) {
    this.seq = place.seq
    this.epoch = place.epoch
    this.text = text
    this.#parsed = event
  }

  get cursor(): string {
    return `${this.epoch}:${this.seq}`
  }

  get id(): string {
    return this.#event.id
  }

  get timestamp(): string {
    return this.#event.timestamp
  }

  get event_type(): string {
    return this.#event.event_type
  }

  get source(): string {
    return this.#event.source
  }

  get node_name(): string | null {
    return this.#event.node_name
  }

  get data(): JsonObject {
    return this.#event.data
  }

  get service_type(): string {
    return this.#event.service_type
  }

  get canonical_service(): string {
    return this.#event.canonical_service
  }

  get resource_id(): string | null {
    return this.#event.resource_id
  }

  get severity(): Severity {
    return this.#event.severity
  }

  get occurred_at(): string {
    return this.#event.occurred_at
  }

  get publisher_id(): string | null {
    return this.#event.publisher_id
  }

  get source_event_id(): string {
    return this.#event.source_event_id
  }

  get project_id(): string | null {
    return this.#event.project_id
  }

  get correlation_id(): string | null {
    return this.#event.correlation_id
  }

  /** The event as a plain object. */
  toJSON(): StreamEvent {
    return { seq: this.seq, epoch: this.epoch, cursor: this.cursor, ...this.#event }
  }

  get #event(): NewStreamEvent {
    this.#parsed ??= parseStored(this.text)
    return this.#parsed
  }
}

/**
 * The event as native JSON on one line, `seq`, `epoch` and `cursor` first. Of an event that comes from a log the text
 * is put together from what is stored, without serialising anything.
 *
 * Source: event-stream.md R2, R27.
 */
export function eventJson(event: StreamEvent): string {
  if (!(event instanceof StoredEvent)) return toJson(event)
  const { seq, epoch, text } = event
  return `{"seq":${seq},"epoch":"${epoch}","cursor":"${epoch}:${seq}",${text.slice(1)}`
}

/** The text that a log keeps of an event. */
export function storedText(event: NewStreamEvent): string {
  return toJson(event)
}

function parseStored(text: string): NewStreamEvent {
  const value = parseJson(text, 'an event of the log')
  if (!isJsonObject(value)) throw new TypeError('An event of the log is not a JSON object.')
  return value as unknown as NewStreamEvent
}
