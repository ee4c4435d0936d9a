import type { JsonObject } from '../../core/json.ts'
import { CURSOR_GONE } from './schemas.ts'

/** What is said of one operation of the API. */
export interface Operation {
  readonly id: string
  readonly description: string
  readonly query?: Readonly<Record<string, string>>
  /** Parameters that may stand more than once. */
  readonly repeated?: Readonly<Record<string, string>>
  readonly body?: JsonObject
  readonly answers: Readonly<Record<number, Answer>>
}

export type Answer = { readonly description: string; readonly content?: Readonly<Record<string, JsonObject>> }

export const JSON_TYPE = 'application/json'
export const EMPTY: Answer = { description: 'Done.' }
export const REFUSED: Readonly<Record<number, Answer>> = {
  401: { description: 'Nobody said who asks, or the proof is not good.' },
  403: { description: 'The caller may not do this.' },
}
export const MISSING: Readonly<Record<number, Answer>> = { 404: { description: 'There is no such thing.' } }
export const BAD: Readonly<Record<number, Answer>> = {
  400: { description: 'What was sent cannot be used; the message says why.' },
}
export const LIMITED: Readonly<Record<number, Answer>> = {
  429: { description: 'Too many connections; Retry-After says when to come back.' },
}

export function said(schema: JsonObject, type = JSON_TYPE): Answer {
  return { description: 'Done.', content: { [type]: schema } }
}

export const GONE: Readonly<Record<number, Answer>> = {
  410: { description: 'The cursor is no longer good.', content: { [JSON_TYPE]: CURSOR_GONE } },
}
