import { InvalidInputError, errorMessage } from './errors.ts'

/** Anything that survives a trip through JSON. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [member: string]: Json }

/** A JSON object. */
export type JsonObject = { readonly [member: string]: Json }

/**
 * Reads JSON text.
 *
 * @param what names the text in the error, for example `the body of POST /v1/segments`
 * @throws InvalidInputError when the text is not JSON
 */
export function parseJson(text: string, what: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch (error) {
    throw new InvalidInputError(`${what} is not valid JSON: ${errorMessage(error)}`, { cause: error })
  }
}

/** Writes a value as JSON on one line. `undefined` members are left out. */
export function toJson(value: unknown): string {
  return JSON.stringify(value) ?? 'null'
}

/** Writes a value as JSON with members in one fixed order, so that equal values give equal text. */
export function canonicalJson(value: unknown): string {
  return toJson(sorted(value))
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (typeof value !== 'object' || value === null) return value
  if ('toJSON' in value && typeof value.toJSON === 'function') return sorted(value.toJSON())
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, member]) => [name, sorted(member)]),
  )
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
