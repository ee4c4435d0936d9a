import type { FastifyError, FastifyRequest } from 'fastify'

import { MainstayError } from '../core/errors.ts'
import { toJson } from '../core/json.ts'
import { BadRequestError, BodyTooLargeError, UnsupportedMediaTypeError } from './errors.ts'

/** What the validator says of one value that does not fit its schema. */
export interface SchemaProblem {
  readonly keyword: string
  /** JSON pointer to the value. */
  readonly instancePath: string
  readonly params: Readonly<Record<string, unknown>>
  readonly message?: string | undefined
}

const PLACES: Readonly<Record<string, string>> = {
  body: 'body',
  querystring: 'query',
  params: 'path',
  headers: 'headers',
}

/**
 * What a client did wrong before a native route saw its request, in our own words: a body that is no JSON, or that does not fit the
 * schema of the route.
 *
 * @returns null for everything else
 */
export function clientMistake(error: FastifyError | MainstayError, request: FastifyRequest): MainstayError | null {
  if (error instanceof MainstayError) return null
  if (error.validation !== undefined) {
    const place = PLACES[error.validationContext ?? 'body'] ?? 'request'
    return new BadRequestError(describeSchemaProblems(place, error.validation), { cause: error })
  }
  switch (error.code) {
    case 'FST_ERR_CTP_EMPTY_JSON_BODY':
      return new BadRequestError('The body is empty. Send a JSON object.', { cause: error })
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
      return new BadRequestError('The body is not JSON. Look for a missing quote or comma.', { cause: error })
    case 'FST_ERR_CTP_INVALID_CONTENT_LENGTH':
      return new BadRequestError('The body is not as long as its Content-Length says.', { cause: error })
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
      return new UnsupportedMediaTypeError(request.headers['content-type'] ?? '(none)')
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return new BodyTooLargeError(request.routeOptions.bodyLimit)
    default:
      return null
  }
}

/**
 * One sentence about values that do not fit their schema.
 *
 * @param place where they are: `body`, `query`, `path`
 */
export function describeSchemaProblems(place: string, problems: readonly SchemaProblem[]): string {
  const [first] = problems
  if (first === undefined) return `The ${place} is not as it should be.`
  const { keyword, instancePath, params } = first
  const member = instancePath.split('/').slice(1).join('.')
  const subject = member === '' ? `The ${place}` : `"${member}" in the ${place}`
  const allowed = problems
    .filter((each) => each.instancePath === instancePath && each.keyword === 'const')
    .map((each) => toJson(each.params['allowedValue']))
  if (allowed.length > 0) return `${subject} must be ${allowed.length > 1 ? 'one of ' : ''}${allowed.join(', ')}.`
  switch (keyword) {
    case 'required':
      return `${subject} lacks "${String(params['missingProperty'])}".`
    case 'additionalProperties':
      return `${subject} has a member "${String(params['additionalProperty'])}" that is not known here.`
    default:
      return `${subject} must ${demandOf(first)}.`
  }
}

/** What a value must be or have, as the end of a sentence. */
function demandOf({ keyword, params, message }: SchemaProblem): string {
  const limit = String(params['limit'])
  switch (keyword) {
    case 'type':
      return `be ${ARTICLES[String(params['type'])] ?? String(params['type'])}`
    case 'enum':
      return `be one of ${(params['allowedValues'] as readonly unknown[]).map((value) => toJson(value)).join(', ')}`
    case 'minimum':
      return `be ${limit} or more`
    case 'maximum':
      return `be ${limit} or less`
    case 'exclusiveMinimum':
      return `be more than ${limit}`
    case 'minLength':
      return limit === '1' ? 'not be empty' : `have ${limit} characters or more`
    case 'maxLength':
      return `have ${limit} characters or less`
    case 'minItems':
      return limit === '1' ? 'name at least one' : `name ${limit} or more`
    case 'maxItems':
      return `name ${limit} or less`
    case 'pattern': {
      const digits = /^\^\[0-9\]\{1,(\d+)\}\$$/.exec(String(params['pattern']))?.[1]
      return digits === undefined ? `match ${String(params['pattern'])}` : `be a number of at most ${digits} digits`
    }
    default:
      return (message ?? 'be something else').replace(/^must /, '')
  }
}

const ARTICLES: Readonly<Record<string, string>> = {
  string: 'a text',
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  object: 'an object',
  array: 'a list',
  null: 'null',
}
