import { describe, expect, test } from 'vitest'

import { bestOffer } from './accept.ts'
import { requireJsonContent, responseType } from './media-type.ts'
import { formatVersion, requestedVersion } from './microversion.ts'
import { statusPage } from './status-page.ts'
import { parseTarget, routableTarget } from './target.ts'

const JSON_TYPE = 'application/json'
const VENDOR = 'application/vnd.openstack.masakari+json'

describe('media types (ha-api 1.3)', () => {
  test.each([
    [undefined, JSON_TYPE],
    ['', JSON_TYPE],
    ['*/*', JSON_TYPE],
    [VENDOR, VENDOR],
    [`${VENDOR};q=0.5, ${JSON_TYPE};q=0.4`, VENDOR],
    [`${VENDOR};q=0.3, ${JSON_TYPE}`, JSON_TYPE],
    ['text/html', JSON_TYPE],
    ['nonsense', JSON_TYPE],
    [`${JSON_TYPE};q=0, ${VENDOR}`, VENDOR],
  ])('Accept %s is answered with %s', (accept, expected) => {
    expect(responseType(accept, '/v1/segments')).toBe(expected)
  })

  test('a suffix decides before Accept does', () => {
    expect(responseType(VENDOR, '/v1/segments.json')).toBe(JSON_TYPE)
  })

  test.each([undefined, '', 'text/plain', JSON_TYPE, 'Application/JSON; charset=utf-8', VENDOR])(
    'content type %s is taken as JSON',
    (type) => {
      expect(() => requireJsonContent(type)).not.toThrow()
    },
  )

  test.each(['text/html', 'application/xml', 'application/jsonx', 'json'])('content type %s is refused', (type) => {
    expect(() => requireJsonContent(type)).toThrow(type)
  })

  test.each([
    [undefined, undefined],
    ['a/b', 'a/b'],
    ['a/*', 'a/b'],
    ['a/b;q=0', undefined],
    ['*/*, a/b;q=0', 'c/d'],
  ])('of a/b and c/d, Accept %s likes %s best', (accept, expected) => {
    expect(bestOffer(accept, ['a/b', 'c/d'])).toBe(expected)
  })

  test.each([
    [undefined, 'text/plain; charset=UTF-8', '404 Not Found\n\n'],
    [JSON_TYPE, JSON_TYPE, '"code":"404 Not Found"'],
    ['text/html', 'text/html; charset=UTF-8', '<h1>404 Not Found</h1>'],
    ['*/*', 'text/html; charset=UTF-8', '<h1>404 Not Found</h1>'],
  ])('a router error for Accept %s is %s', (accept, type, part) => {
    const page = statusPage(404, 'Gone <b>.', accept)
    expect(page.headers['Content-Type']).toBe(type)
    expect(page.body).toContain(part)
  })
})

describe('microversions (ha-api 3)', () => {
  test.each([
    [undefined, '1.0'],
    ['instance-ha 1.2', '1.2'],
    ['INSTANCE-HA 1.2', '1.2'],
    ['compute 2.53, instance-ha 1.3', '1.3'],
    ['instance-ha latest', '1.3'],
    ['instance-ha 1.2, instance-ha 1.3', '1.3'],
    ['instance-ha 1.3 extra, instance-ha 1.2', '1.2'],
    ['instance-ha 1.2, instance-ha', '1.2'],
    ['instance-ha 1.2, compute 2.53 extra,', '1.2'],
    ['instance-ha \t1.2\t', '1.2'],
    ['masakari 1.2', '1.0'],
    ['1.2', '1.0'],
    ['compute 2.1', '1.0'],
    ['instance-ha', '1.0'],
    ['', '1.0'],
  ])('the header %s means %s', (header, expected) => {
    expect(formatVersion(requestedVersion(header))).toBe(expected)
  })

  test.each(['1', 'x.y', '0.9', '1.02', '1.2.3', '1.', '.1', '-1.0', '1.2x', '1.3 extra', 'latest 1.3'])(
    '%s is malformed',
    (text) => {
      expect(() => requestedVersion(`instance-ha ${text}`)).toThrow(/invalid format/)
    },
  )

  test.each(['1.4', '2.0', '9.9', '1.99999999999999999999'])('%s is not served', (text) => {
    expect(() => requestedVersion(`instance-ha ${text}`)).toThrow(/Minimum is 1.0 and maximum is 1.3/)
  })
})

describe('request targets', () => {
  test.each([
    ['/v1/segments?limit=1', '/v1/segments', '1'],
    ['http://host:1/v1?limit=2', '/v1', '2'],
    ['/v1/%73egments', '/v1/segments', null],
    ['/v1/%zz', '/v1/%zz', null],
    ['/v1/%ff', '/v1/\ufffd', null],
    ['?limit=3', '/', '3'],
  ])('%s is read as %s', (target, path, limit) => {
    const parsed = parseTarget(target)
    expect([parsed.path, parsed.query.get('limit')]).toEqual([path, limit])
  })

  test.each([
    ['/v1/%zz?a=%zz', '/v1/%25zz?a=%zz'],
    ['/v1/%ff', '/v1/%25ff'],
    ['/v1/%20', '/v1/%20'],
  ])('%s is routed as %s', (target, expected) => {
    expect(routableTarget(target)).toBe(expected)
  })
})
