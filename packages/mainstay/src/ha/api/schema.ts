import { Type, type Static, type TProperties, type TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { Format } from 'typebox/format'

import { toJson, type Json } from '../../core/json.ts'
import { parseTimestamp } from '../../core/timestamp.ts'
import { BadRequestError } from '../../http/errors.ts'
import { FALSE_TEXTS, TRUE_TEXTS } from '../rules/boolean.ts'
import { isDescription, isName, isUuidLike } from '../rules/text.ts'

/** The schema dialect of the HA API. Source: ha-api.md 5.4. */

Format.Set('masakari-name', isName)
Format.Set('masakari-description', isDescription)
Format.Set('masakari-date-time', (text) => parseTimestamp(text) !== undefined)
Format.Set('masakari-uuid', isUuidLike)

export const nameText = Type.String({ minLength: 1, maxLength: 255, format: 'masakari-name' })

export const descriptionText = Type.String({ format: 'masakari-description' })

export const nullableDescription = Type.Unsafe<string | null>({
  type: ['string', 'null'],
  format: 'masakari-description',
})

export const alphanumericText = Type.String({ maxLength: 255, pattern: '^[a-zA-Z0-9]*$' })

export const booleanLike = Type.Unsafe<boolean | string>({ enum: [true, false, ...TRUE_TEXTS, ...FALSE_TEXTS] })

export const hostnameText = Type.String({ minLength: 1, maxLength: 255, pattern: '^[a-zA-Z0-9\\-._]*$' })

export const dateTimeText = Type.String({ format: 'masakari-date-time' })

export const uuidText = Type.String({ format: 'masakari-uuid' })

export function oneOf<const Values extends readonly string[]>(
  values: Values,
): ReturnType<typeof Type.Unsafe<Values[number]>> {
  return Type.Unsafe<Values[number]>({ type: 'string', enum: [...values] })
}

/** An object without other members than these. */
export function closed<Properties extends TProperties>(
  properties: Properties,
  options: { minProperties?: number } = {},
): ReturnType<typeof Type.Object<Properties>> {
  return Type.Object(properties, { additionalProperties: false, ...options })
}

/** A schema that has been compiled once, with a check that names what is wrong. */
export interface BodySchema<Body> {
  readonly schema: TSchema
  /** @throws BadRequestError naming the member, its value and the reason */
  check(body: Json): Body
}

export function bodySchema<Schema extends TSchema>(schema: Schema): BodySchema<Static<Schema>> {
  const validator = Compile(schema)
  return {
    schema,
    check(body) {
      if (validator.Check(body)) return body
      const errors = validator.Errors(body)
      // The parent's error tells more than the same fact said of the member alone ("schema is false").
      const error = errors.find((candidate) => candidate.keyword !== 'boolean') ?? errors[0]
      throw new BadRequestError(explain(body, error?.instancePath ?? '', reasonOf(error), error))
    },
  }
}

/** What our formats ask for, in words. */
const FORMAT_TEXTS: Readonly<Record<string, string>> = {
  'masakari-name': 'must be printable text that neither begins nor ends with white space',
  'masakari-description': 'must be printable text, on one or several lines',
  'masakari-date-time': 'must be a date and time of ISO 8601, for example 2026-01-31T12:00:00',
  'masakari-uuid': 'must be a UUID',
}

function reasonOf(error: { message?: string; params?: object } | undefined): string {
  const { params } = error ?? {}
  const format = params !== undefined && 'format' in params && typeof params.format === 'string' ? params.format : ''
  return FORMAT_TEXTS[format] ?? error?.message ?? 'is not allowed'
}

/** The most of a value that an error shows. */
const SHOWN_CHARACTERS = 256

function explain(body: Json, path: string, reason: string, error: { params?: object } | undefined): string {
  const extra = unexpectedMembers(error)
  const member = path === '' ? 'body' : path.slice(1).replaceAll('/', '.')
  const shown = toJson(valueAt(body, path))
  const value = shown.length > SHOWN_CHARACTERS ? `${shown.slice(0, SHOWN_CHARACTERS)}…` : shown
  const detail = extra === '' ? reason : `${reason} (${extra} unexpected)`
  return `Invalid input for field/attribute ${member}. Value: ${value}. It ${detail}.`
}

function unexpectedMembers(error: { params?: object } | undefined): string {
  const params = error?.params
  if (params === undefined || !('additionalProperties' in params)) return ''
  const names = params.additionalProperties
  return Array.isArray(names) ? names.map((name) => `'${String(name)}'`).join(', ') : ''
}

function valueAt(body: Json, path: string): unknown {
  let value: unknown = body
  for (const part of path.split('/').slice(1)) {
    if (typeof value !== 'object' || value === null) return undefined
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~')
    value = Object.entries(value).find(([key]) => key === name)?.[1]
  }
  return value
}
