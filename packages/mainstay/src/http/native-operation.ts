import type { RouteOptions } from 'fastify'

import type { JsonObject } from '../core/json.ts'

/** Schemas that the descriptions of native operations refer to. */
export const NATIVE_SCHEMAS: JsonObject = {
  NativeError: {
    type: 'object',
    required: ['error'],
    additionalProperties: false,
    properties: {
      error: {
        type: 'object',
        required: ['code', 'message', 'requestId', 'retryable'],
        additionalProperties: false,
        properties: {
          code: { type: 'string', description: 'Never changes; listed in docs/reference/errors.md.' },
          message: { type: 'string' },
          requestId: { type: 'string' },
          retryable: { type: 'boolean', description: 'Whether the same request may succeed later.' },
        },
      },
    },
  },
}

interface Schemas {
  readonly body?: JsonObject
  readonly querystring?: JsonObject
  readonly response?: JsonObject
  readonly description?: string
}

/**
 * One native route as an operation of an OpenAPI document, made from the schemas that check it.
 *
 * @param path as OpenAPI writes it, `/api/v1/things/{id}`
 */
export function nativeOperation(method: string, path: string, route: RouteOptions): JsonObject {
  const { body, querystring, response = {}, description } = (route.schema ?? {}) as Schemas
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map((match) => ({
    name: match[1] ?? '',
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }))
  const required = Array.isArray(querystring?.['required']) ? querystring['required'] : []
  const inQuery = Object.entries((querystring?.['properties'] ?? {}) as JsonObject).map(([name, schema]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    schema,
  }))
  const done = Object.entries(response).map(([status, schema]) => [
    status,
    // Whatever the schema says: an answer of this status has no body.
    status === '204' ? { description: 'Done; nothing is answered.' } : json('Done.', schema as JsonObject),
  ])
  return {
    operationId: operationId(method, path),
    ...(description === undefined ? {} : { description }),
    parameters: [...inPath, ...inQuery],
    ...(body === undefined
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: body } } } }),
    responses: {
      ...(done.length === 0 ? { '200': { description: 'Done.' } } : (Object.fromEntries(done) as JsonObject)),
      default: json('Refused or failed.', { $ref: '#/components/schemas/NativeError' }),
    },
  }
}

function json(description: string, schema: JsonObject): JsonObject {
  return { description, content: { 'application/json': { schema } } }
}

/** `post /api/v1/things/{id}/stop` is `postThingsIdStop`. */
function operationId(method: string, path: string): string {
  const words = path
    .replace('/api/v1', '')
    .split(/\W+/)
    .filter((word) => word !== '')
  return [method.toLowerCase(), ...words.map((word) => word.charAt(0).toUpperCase() + word.slice(1))].join('')
}
