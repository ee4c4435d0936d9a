import { describe, expect, test } from 'vitest'

import { readFault } from './fault.ts'

function fault(status: number, body: string, headers: Record<string, string> = {}) {
  return readFault({ status, headers: new Headers(headers) }, body)
}

describe('reading a fault (ha-api 1.5)', () => {
  test.each([
    ['a fault', 409, '{"conflictingRequest": {"code": 409, "message": "in use"}}', 'conflictingRequest', 'in use'],
    ['a token refused', 401, '{"error": {"code": 401, "title": "Unauthorized", "message": "no"}}', 'error', 'no'],
    ['the native API', 409, '{"error": {"code": "MS_FENCE_UNPROVEN", "message": "no"}}', 'MS_FENCE_UNPROVEN', 'no'],
    ['the router', 404, '{"message": "nothing<br />here", "code": "404 Not Found"}', '404 Not Found', 'nothing here'],
    ['plain text', 413, '413 Too Large\n\nThe body is too large.', null, '413 Too Large The body is too large.'],
    ['HTML', 404, '<html><h1>Not  Found</h1></html>', null, 'Not Found'],
    ['nothing', 500, '', null, 'The server answered 500 and gave no reason.'],
    ['a JSON text', 500, '"what"', null, '"what"'],
  ])('%s', (_name, status, body, faultKey, message) => {
    expect(fault(status, body)).toMatchObject({ status, faultKey, message })
  })

  test('keeps the request id and the pause that is asked for', () => {
    const headers = { 'X-Openstack-Request-Id': 'req-1', 'Retry-After': '7' }
    expect(fault(503, '', headers)).toMatchObject({ requestId: 'req-1', retryAfterMs: 7000 })
  })

  test.each(['soon', '-1', '1.5', 'Wed, 21 Oct 2026 07:28:00 GMT'])('no pause is read from "%s"', (value) => {
    expect(fault(503, '', { 'Retry-After': value }).retryAfterMs).toBeNull()
  })

  test('cuts a foreign text that is long', () => {
    expect(fault(502, 'x'.repeat(5000)).message).toHaveLength(201)
  })
})
