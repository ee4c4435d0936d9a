import * as fc from 'fast-check'

/** Requests of any kind. What stands in braces is put in from what is known when the request is sent: `known-records.ts`. */

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
  '{segment:1}',
  '{host:2}',
  '{notification:3}',
  '{vmove:4}',
  '{gone:5}',
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
/** A question mark and parameters that lists know, with anything as values; or nothing. */
export const query = fc
  .array(fc.tuple(queryName, queryValue), { maxLength: 5 })
  .map((pairs) => (pairs.length === 0 ? '' : `?${pairs.map(([name, value]) => `${name}=${value}`).join('&')}`))

const text = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    's',
    'auto',
    'COMPUTE',
    'x'.repeat(300),
    '\u0000',
    '\ud800',
    '2026-01-01',
    'STOPPED',
    '{hostName:1}',
    '{segment:2}',
  ),
)
/** Anything that may stand for a member of a body. */
export const value = fc.oneof(
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
export const header = fc.tuple(
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
/** A request of any kind; hardly any is a good one. */
export const anyRequest = fc.record({
  label: fc.constant(null),
  method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS', 'PROPFIND'),
  target: fc.tuple(path, query).map(([left, right]) => left + right),
  headers: fc.array(header, { maxLength: 4 }),
  body,
})
