import type { TSchema } from 'typebox'

import type { Json, JsonObject } from '../../core/json.ts'
import { faultKey } from '../../http/fault.ts'
import { MAX_VERSION } from '../../http/microversion.ts'
import { NATIVE_SCHEMAS } from '../../http/native-operation.ts'
import type { Action } from './action.ts'
import { ACTIONS } from './actions.ts'
import { answerSchema, versionListAnswer } from './answer-schemas.ts'
import { PAYLOADS } from './notification-schema.ts'
import { COLLECTIONS, type Collection, type Resource, type Verb } from './route.ts'

/**
 * The OpenAPI 3.1 description of the HA API, made from the route table and the schemas that check the requests, so it
 * cannot say anything else than what is done.
 *
 * @param otherPaths paths of other rooms, described in the same document
 */
export function openapiDocument(otherPaths: JsonObject = {}): JsonObject {
  return {
    openapi: '3.1.1',
    info: {
      title: 'Mainstay HA API',
      version: `${MAX_VERSION.major}.${MAX_VERSION.minor}`,
      description:
        'A drop-in for the OpenStack instance-ha service (Masakari). The microversion is chosen with the header ' +
        'OpenStack-API-Version: instance-ha X.Y; without it 1.0 is meant.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [{ token: [] }],
    paths: { ...paths(), ...otherPaths },
    components: {
      securitySchemes: { token: { type: 'apiKey', in: 'header', name: 'X-Auth-Token' } },
      schemas: {
        Fault: {
          type: 'object',
          description: 'One member named by the status, for example itemNotFound for 404.',
          additionalProperties: {
            type: 'object',
            required: ['code', 'message'],
            properties: { code: { type: 'integer' }, message: { type: 'string' } },
          },
        },
        ...NATIVE_SCHEMAS,
        ...Object.fromEntries(Object.entries(PAYLOADS).map(([type, { schema }]) => [`Payload_${type}`, plain(schema)])),
      },
    },
  }
}

const METHODS: Readonly<Record<Verb, string>> = {
  index: 'get',
  create: 'post',
  show: 'get',
  update: 'put',
  delete: 'delete',
}

const PAGING = ['limit', 'marker', 'page_size', 'sort_key', 'sort_dir']

const FILTERS: Readonly<Partial<Record<Resource, readonly string[]>>> = {
  segments: ['recovery_method', 'service_type', 'enabled'],
  hosts: ['type', 'on_maintenance', 'reserved'],
  notifications: ['status', 'source_host_uuid', 'type', 'generated-since'],
  vmoves: ['status', 'type'],
}

const IDS: Readonly<Record<Resource, string>> = {
  versions: 'version',
  extensions: 'alias',
  segments: 'segment_id',
  hosts: 'host_id',
  notifications: 'notification_id',
  vmoves: 'vmove_id',
}

function paths(): JsonObject {
  const found: Record<string, Record<string, Json>> = {
    '/': {
      get: {
        ...unversioned('Lists the versions of the API.', { 'application/json': { schema: plain(versionListAnswer) } }),
        operationId: 'listVersions',
      },
    },
    '/healthcheck': {
      get: {
        ...unversioned('Says whether the API serves.', { 'text/plain': { schema: { type: 'string' } } }),
        operationId: 'checkHealth',
      },
    },
    '/v1/': { get: operation('versions', 'show', ACTIONS.versions.show, []) },
  }
  for (const [name, collection] of Object.entries(COLLECTIONS)) addCollection(found, `/v1/${name}`, collection, [])
  return found
}

function addCollection(
  found: Record<string, Record<string, Json>>,
  path: string,
  collection: Collection,
  parents: readonly string[],
): void {
  const { resource, verbs, children } = collection
  const id = IDS[resource]
  for (const verb of verbs) {
    const aboutOne = verb !== 'index' && verb !== 'create'
    const place = aboutOne ? `${path}/{${id}}` : path
    const ids = aboutOne ? [...parents, id] : parents
    ;(found[place] ??= {})[METHODS[verb]] = operation(resource, verb, ACTIONS[resource][verb], ids)
  }
  for (const [name, child] of Object.entries(children)) {
    addCollection(found, `${path}/{${id}}/${name}`, child, [...parents, id])
  }
}

function operation(resource: Resource, verb: Verb, action: Action | undefined, ids: readonly string[]): JsonObject {
  const schema = action?.schema?.(MAX_VERSION).schema
  const queries = verb === 'index' && FILTERS[resource] !== undefined ? [...FILTERS[resource], ...PAGING] : []
  return {
    operationId: operationId(resource, verb, ids),
    tags: [resource],
    description: `Policy rule: ${action?.policy ?? ''}`,
    parameters: [
      ...ids.map((name) => ({ name, in: 'path', required: true, schema: { type: 'string' } })),
      ...queries.map((name) => ({ name, in: 'query', schema: { type: 'string' } })),
      { name: 'OpenStack-API-Version', in: 'header', schema: { type: 'string', examples: ['instance-ha 1.3'] } },
    ],
    ...(schema === undefined
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: plain(schema) } } } }),
    responses: {
      [String(action?.successStatus ?? 200)]: done(answerSchema(resource, verb)),
      ...Object.fromEntries(errors(resource, verb, ids, schema !== undefined).map(fault)),
    },
  }
}

function operationId(resource: Resource, verb: Verb, ids: readonly string[]): string {
  const name = `${resource.charAt(0).toUpperCase()}${resource.slice(1)}`
  const one = name.replace(/s$/, '')
  if (verb === 'index') return `list${name}`
  return ids.length === 0 && verb === 'show' ? `show${one}Document` : `${verb}${one}`
}

function errors(resource: Resource, verb: Verb, ids: readonly string[], hasBody: boolean): number[] {
  const possible = [400, 401, 403, 406, 415]
  if (ids.length > 0) possible.push(404)
  if (hasBody || verb === 'delete') possible.push(409, 413)
  // An Idempotency-Key that belongs to another report.
  if (resource === 'notifications' && verb === 'create') possible.push(422)
  return possible.sort((a, b) => a - b)
}

function fault(status: number): [string, JsonObject] {
  // These are no JSON faults (ha-api.md 1.3, 4.1).
  if (status === 401 || status === 413) return [String(status), { description: 'Refused before the API.' }]
  const content = { 'application/json': { schema: { $ref: '#/components/schemas/Fault' } } }
  return [String(status), { description: faultKey(status), content }]
}

function done(answer: TSchema | undefined): JsonObject {
  if (answer === undefined) return { description: 'Done.' }
  return { description: 'Done.', content: { 'application/json': { schema: plain(answer) } } }
}

function unversioned(description: string, content: JsonObject): JsonObject {
  return { description, security: [], responses: { '200': { description: 'Done.', content } } }
}

/** A schema as data: the library's own marks are left out. */
function plain(schema: TSchema): JsonObject {
  return toPlain(schema) as JsonObject
}

function toPlain(value: unknown): Json {
  if (Array.isArray(value)) return value.map(toPlain)
  if (typeof value !== 'object' || value === null) return value as Json
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name, member]) => !name.startsWith('~') && member !== undefined)
      .map(([name, member]) => [name, toPlain(member)]),
  )
}
