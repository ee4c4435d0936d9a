import { Type } from 'typebox'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { SystemClock } from '../core/clock.ts'
import { SystemIds } from '../core/ids.ts'
import { silentLogger } from '../core/logging.ts'
import { Metrics } from '../core/metrics.ts'
import { createHttpApp } from './app.ts'
import { noauth2 } from './authenticate.ts'
import { listenOn, stopServing } from './listen.ts'
import { registerNative } from './native.ts'

const clock = new SystemClock()
const app = createHttpApp({ clock, ids: new SystemIds(), metrics: new Metrics() }, { limits: { maxBodyBytes: 1000 } })
let url = ''

const Body = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 5 }),
    count: Type.Optional(Type.Integer({ minimum: 0, maximum: 9 })),
    weight: Type.Optional(Type.Number({ exclusiveMinimum: 0 })),
    mode: Type.Optional(Type.Union([Type.Literal('terminate'), Type.Literal('keep')])),
    groups: Type.Optional(Type.Array(Type.String(), { minItems: 1, maxItems: 2 })),
    sure: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
)
const Query = Type.Object({ limit: Type.Optional(Type.String({ pattern: '^[0-9]{1,5}$' })) })

beforeAll(async () => {
  await registerNative(app, { clock, logger: silentLogger(), authenticate: noauth2 }, (native) => {
    native.post('/api/v1/things', { schema: { body: Body, querystring: Query } }, () => ({}))
  })
  url = await listenOn(app, { host: '127.0.0.1', port: 0 })
})

afterAll(async () => {
  await stopServing(app, { clock, timeoutMs: 1000 })
})

async function post(body: string, { query = '', type = 'application/json' } = {}) {
  const response = await fetch(`${url}/api/v1/things${query}`, {
    method: 'POST',
    body,
    headers: { 'content-type': type },
    signal: AbortSignal.timeout(20_000),
  })
  const { error } = (await response.json()) as { error: Record<string, unknown> }
  return [response.status, error['code'], error['message']]
}

test.each([
  ['{}', 'The body lacks "name".'],
  ['[]', 'The body must be an object.'],
  ['{"name": ""}', '"name" in the body must not be empty.'],
  ['{"name": "far too long"}', '"name" in the body must have 5 characters or less.'],
  ['{"name": 7}', '"name" in the body must be a text.'],
  ['{"name": "a", "more": 1}', 'The body has a member "more" that is not known here.'],
  ['{"name": "a", "count": -1}', '"count" in the body must be 0 or more.'],
  ['{"name": "a", "count": 10}', '"count" in the body must be 9 or less.'],
  ['{"name": "a", "count": 1.5}', '"count" in the body must be a whole number.'],
  ['{"name": "a", "weight": 0}', '"weight" in the body must be more than 0.'],
  ['{"name": "a", "mode": "stop"}', '"mode" in the body must be one of "terminate", "keep".'],
  ['{"name": "a", "groups": []}', '"groups" in the body must name at least one.'],
  ['{"name": "a", "groups": ["x", "y", "z"]}', '"groups" in the body must name 2 or less.'],
  ['{"name": "a", "groups": ["x", 2]}', '"groups.1" in the body must be a text.'],
  ['{"name": "a", "sure": "yes"}', '"sure" in the body must be true or false.'],
  ['{"name": "a"', 'The body is not JSON. Look for a missing quote or comma.'],
  ['', 'The body is empty. Send a JSON object.'],
])('a body that does not fit is told in words: %s', async (body, message) => {
  expect(await post(body)).toEqual([400, 'MS_BAD_REQUEST', message])
})

test('so is a query', async () => {
  const message = '"limit" in the query must be a number of at most 5 digits.'
  expect(await post('{"name": "a"}', { query: '?limit=many' })).toEqual([400, 'MS_BAD_REQUEST', message])
})

test('a body of another kind, and one that is too long', async () => {
  expect((await post('<a/>', { type: 'application/xml' })).slice(0, 2)).toEqual([415, 'MS_UNSUPPORTED_MEDIA_TYPE'])
  expect((await post(`{"name": "${'a'.repeat(2000)}"}`)).slice(0, 2)).toEqual([413, 'MS_BODY_TOO_LARGE'])
})
