import type { JsonObject } from '../../core/json.ts'
import { BaremetalNotification } from '../openstack/baremetal-route.ts'
import {
  BAD,
  EMPTY,
  GONE,
  JSON_TYPE,
  LIMITED,
  MISSING,
  REFUSED,
  said,
  type Answer,
  type Operation,
} from './operation.ts'
import { CLOUD_EVENT, CONNECTION, EVENT, HISTORY_PAGE, TICKET, listOf, plain } from './schemas.ts'
import { WEBHOOK_OPERATIONS } from './webhook-operations.ts'

const PLACES = {
  since: 'Where to begin: latest, earliest, a cursor, or an RFC 3339 time.',
} as const

const FILTER_QUERY = {
  event: 'Event types, exactly or as patterns such as recovery.** or !**.end.',
  node: 'Node names, exactly or as globs.',
  service: 'First segments of event types, exactly or as patterns.',
  severity: 'The least severity.',
  resource: 'Resource ids.',
  project: 'Project ids.',
  correlation: 'Request ids.',
} as const

const STREAM_QUERY = {
  ...PLACES,
  policy: 'What happens when the client is slow: catchup, drop or disconnect.',
  on_reset: 'continue to go on with the oldest event when since is gone; otherwise the stream ends.',
  ticket: 'A ticket of POST /v1/events/tickets, in place of a token.',
} as const

const SWITCHED: Answer = {
  description: 'The connection is a WebSocket now: see docs/reference/event-stream.md for its frames.',
}
const OPERATIONS: Readonly<Record<string, Readonly<Record<string, Operation>>>> = {
  '/v1/events': {
    get: {
      id: 'describeEvents',
      description: 'Says where the compatible stream is.',
      answers: { 200: said({ type: 'object' }), ...REFUSED },
    },
  },
  '/v1/events/openstack': {
    get: {
      id: 'followEventsCompatibly',
      description: 'The stream as OSISM has it, over a WebSocket: six members for each event.',
      answers: { 101: SWITCHED, ...REFUSED, ...LIMITED },
    },
  },
  '/v1/events/stream': {
    get: {
      id: 'followEvents',
      description: 'The stream over a WebSocket; subprotocols mainstay.events.v1 and cloudevents.json.',
      query: STREAM_QUERY,
      repeated: FILTER_QUERY,
      answers: { 101: SWITCHED, ...BAD, ...REFUSED, ...LIMITED },
    },
  },
  '/v1/events/sse': {
    get: {
      id: 'listenToEvents',
      description: 'The stream as server-sent events; the header Last-Event-ID goes before since.',
      query: { ...STREAM_QUERY, format: 'native or cloudevents.', named: '0 to give every event the name message.' },
      repeated: FILTER_QUERY,
      answers: {
        200: { description: 'It does not end by itself.', content: { 'text/event-stream': { type: 'string' } } },
        ...BAD,
        ...REFUSED,
        ...LIMITED,
      },
    },
  },
  '/v1/events/tickets': {
    post: {
      id: 'createEventTicket',
      description: 'A ticket in place of the token that it is asked with, for clients that can send no header.',
      answers: { 201: said(TICKET), ...REFUSED },
    },
  },
  '/v1/events/history': {
    get: {
      id: 'listEvents',
      description:
        'Events of the past, page by page; with Accept: application/cloudevents-batch+json as a batch, which says in the header Link where it goes on.',
      query: {
        since: 'Events after this: earliest (the default), a cursor, or an RFC 3339 time.',
        until: 'Events up to this: a cursor, or an RFC 3339 time.',
        order: 'asc (the default) or desc.',
        limit: '1 to 1000; 100 without it.',
        format: 'native (the default) or cloudevents.',
      },
      repeated: FILTER_QUERY,
      answers: {
        200: {
          description: 'Done.',
          content: {
            [JSON_TYPE]: HISTORY_PAGE,
            'application/cloudevents-batch+json': { type: 'array', items: CLOUD_EVENT },
          },
        },
        ...BAD,
        ...REFUSED,
        ...GONE,
      },
    },
  },
  '/v1/events/{id}': {
    get: {
      id: 'showEvent',
      description: 'One event.',
      query: { format: 'native (the default) or cloudevents.' },
      answers: {
        200: { description: 'Done.', content: { [JSON_TYPE]: EVENT, 'application/cloudevents+json': CLOUD_EVENT } },
        ...REFUSED,
        ...MISSING,
      },
    },
  },
  '/v1/events/connections': {
    get: {
      id: 'listEventConnections',
      description: 'Who listens on this node. For admins.',
      answers: { 200: said(listOf('connections', CONNECTION)), ...REFUSED },
    },
  },
  '/v1/events/connections/{id}': {
    delete: {
      id: 'closeEventConnection',
      description: 'Ends a connection with code 4403. For admins.',
      answers: { 204: EMPTY, ...REFUSED, ...MISSING },
    },
  },
  ...WEBHOOK_OPERATIONS,
  '/v1/notifications/baremetal': {
    post: {
      id: 'reportBaremetalNotification',
      description: 'A change of a machine, reported over HTTP instead of the broker.',
      body: plain(BaremetalNotification),
      answers: { 204: EMPTY, ...REFUSED, 422: { description: 'It is no notification; the message says why.' } },
    },
  },
}

/** The paths of the event stream, for an OpenAPI 3.1 document. A test holds them against the routes that exist. */
export function eventPaths(): JsonObject {
  return Object.fromEntries(
    Object.entries(OPERATIONS).map(([path, operations]) => [
      path,
      Object.fromEntries(Object.entries(operations).map(([method, operation]) => [method, describe(path, operation)])),
    ]),
  )
}

function describe(path: string, { id, description, query = {}, repeated = {}, body, answers }: Operation): JsonObject {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }))
  const inQuery = [
    ...Object.entries(query).map(([name, text]) => parameter(name, text, { type: 'string' })),
    ...Object.entries(repeated).map(([name, text]) =>
      parameter(name, text, { type: 'array', items: { type: 'string' } }),
    ),
  ]
  return {
    operationId: id,
    tags: ['events'],
    description,
    parameters: [...inPath, ...inQuery],
    ...(body === undefined ? {} : { requestBody: { required: true, content: { [JSON_TYPE]: { schema: body } } } }),
    responses: Object.fromEntries(
      Object.entries(answers).map(([status, { description: text, content }]) => [
        status,
        {
          description: text,
          ...(content === undefined
            ? {}
            : { content: Object.fromEntries(Object.entries(content).map(([type, schema]) => [type, { schema }])) }),
        },
      ]),
    ),
  }
}

function parameter(name: string, description: string, schema: JsonObject): JsonObject {
  return { name, in: 'query', description, schema }
}
