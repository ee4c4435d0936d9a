import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { startHa, type RunningHa } from '../../packages/mainstay/src/ha/testing/start-ha.ts'
import { KeptConnection } from './support/ha-connection.ts'

/**
 * Anything may arrive. Whatever it is, the answer is no 500, memory stays bounded and no rejection is left behind.
 *
 * `MAINSTAY_FUZZ_REQUESTS` says how many requests are sent; 100,000 where everything is to be tested, else 5,000.
 */
const REQUESTS = Number(
  process.env['MAINSTAY_FUZZ_REQUESTS'] ?? (process.env['MAINSTAY_TEST_ALL'] === '1' ? '100000' : '5000'),
)
const CONNECTIONS = 8
const MEMORY_ALLOWED_BYTES = 200 * 1024 * 1024

let ha: RunningHa
const rejections: unknown[] = []
const remember = (reason: unknown): void => void rejections.push(reason)

beforeAll(async () => {
  process.on('unhandledRejection', remember)
  ha = await startHa()
  await ha.send('POST', '/v1/segments', {
    body: { segment: { name: 's', recovery_method: 'auto', service_type: 'x' } },
  })
})

afterAll(async () => {
  process.off('unhandledRejection', remember)
  await ha[Symbol.asyncDispose]()
})

const words = fc.constantFrom(
  'segments',
  'hosts',
  'notifications',
  'vmoves',
  'extensions',
  'versions',
  'new',
  'edit',
  'action',
  'abc',
  '..',
  '.',
  '',
  '%2f',
  '%00',
  '%ff',
  '%zz',
  'x.json',
  '1',
  '00000000-0000-4000-8000-000000000000',
)
const path = fc.oneof(
  fc
    .array(
      fc.oneof(
        { weight: 5, arbitrary: words },
        { weight: 1, arbitrary: fc.string({ maxLength: 20 }).map(encodeURIComponent) },
      ),
      { maxLength: 6 },
    )
    .map((parts) => `/v1/${parts.join('/')}`),
  fc.constantFrom('/v1/segments', '/v1/notifications', '/', '/healthcheck', '/v1', '/v10'),
)
const queryName = fc.constantFrom(
  'limit',
  'marker',
  'sort_key',
  'sort_dir',
  'page_size',
  'enabled',
  'type',
  'status',
  'generated-since',
  'reserved',
  'name',
)
const queryValue = fc.oneof(
  fc.constantFrom('0', '1', '-1', 'asc', 'id', 'name', 'created_at', '99999999999999999999', '%00', '%ff', '%', ''),
  fc.string({ maxLength: 10 }).map(encodeURIComponent),
)
const query = fc
  .array(fc.tuple(queryName, queryValue), { maxLength: 5 })
  .map((pairs) => (pairs.length === 0 ? '' : `?${pairs.map(([name, value]) => `${name}=${value}`).join('&')}`))

const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom('s', 'auto', 'COMPUTE', 'x'.repeat(300), '\u0000', '\ud800', '2026-01-01', 'STOPPED'),
)
const value = fc.oneof(
  { weight: 4, arbitrary: text },
  fc.boolean(),
  fc.integer(),
  fc.constant(null),
  fc.jsonValue({ maxDepth: 2 }),
)
const members = fc.dictionary(
  fc.constantFrom(
    'name',
    'recovery_method',
    'service_type',
    'description',
    'enabled',
    'type',
    'control_attributes',
    'reserved',
    'on_maintenance',
    'hostname',
    'generated_time',
    'payload',
    '__proto__',
    'constructor',
    'x',
  ),
  value,
)
const body = fc.oneof(
  fc
    .tuple(fc.constantFrom('segment', 'host', 'notification', 'x'), members)
    .map(([name, inner]) => JSON.stringify({ [name]: inner })),
  fc.jsonValue({ maxDepth: 3 }).map((json) => JSON.stringify(json)),
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.constantFrom('', '{', '[[[[', '{"segment":', 'null', '1e999', `{"segment":${'['.repeat(3000)}`),
)
const headerValue = fc.string({
  unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)),
  maxLength: 60,
})
const header = fc.tuple(
  fc.constantFrom(
    'OpenStack-API-Version',
    'Accept',
    'Content-Type',
    'X-Auth-Token',
    'X-Project-Id',
    'X-Roles',
    'Idempotency-Key',
    'Origin',
    'X-Openstack-Request-Id',
    'X-Forwarded-For',
    'X-Forwarded-Proto',
  ),
  fc.oneof(
    headerValue,
    fc.constantFrom(
      'instance-ha 1.3',
      'instance-ha latest',
      'instance-ha 1.9',
      'application/json',
      '*/*',
      'text/html;q=x',
      ',,,',
      'a'.repeat(300),
    ),
  ),
)
const request = fc.record({
  method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS', 'PROPFIND'),
  target: fc.tuple(path, query).map(([left, right]) => left + right),
  headers: fc.array(header, { maxLength: 4 }),
  body,
})

test(`${REQUESTS} requests of any kind are all answered, none with a 500`, async () => {
  const connections = await Promise.all(Array.from({ length: CONNECTIONS }, () => KeptConnection.open(ha.port)))
  const before = process.memoryUsage().heapUsed
  let sent = 0
  const batch = fc.array(request, { minLength: CONNECTIONS * 4, maxLength: CONNECTIONS * 4 })
  await fc.assert(
    fc.asyncProperty(batch, async (requests) => {
      const answers = await Promise.all(
        connections.map(async (connection, index) => {
          const statuses: number[] = []
          for (let at = index; at < requests.length; at += CONNECTIONS)
            statuses.push(await connection.send(requests[at]!))
          return statuses
        }),
      )
      sent += requests.length
      const wrong = answers.flat().filter((status) => status >= 500 || status < 200)
      expect(wrong).toEqual([])
    }),
    { numRuns: Math.ceil(REQUESTS / (CONNECTIONS * 4)), endOnFailure: false },
  )
  for (const connection of connections) connection.close()
  expect(sent).toBeGreaterThanOrEqual(REQUESTS)
  expect(rejections).toEqual([])
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(MEMORY_ALLOWED_BYTES)
  expect((await ha.send('GET', '/v1/segments')).status).toBe(200)
}, 600_000)
