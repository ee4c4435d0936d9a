import type { Json, JsonObject } from '../../core/json.ts'

/**
 * The first of these members that says something, as text. What is empty, zero, false or no plain value says nothing.
 *
 * Source: event-stream.md section 4 ("a or b").
 */
export function firstText(object: JsonObject, names: readonly string[]): string | null {
  for (const name of names) {
    const text = textOf(object[name])
    if (text !== null) return text
  }
  return null
}

/** A text that is not empty, or a number other than zero as text; null for everything else. */
export function textOf(value: Json | undefined): string | null {
  if (typeof value === 'string') return value === '' ? null : value
  if (typeof value === 'number') return value === 0 ? null : String(value)
  return null
}
