import { describe, expect, test } from 'vitest'

import { corsHeaders } from './cors.ts'

const PAGE = 'https://page.example'

function allowed(origin: string | undefined, origins: readonly string[], method = 'GET'): unknown[] {
  const headers = corsHeaders({ method, headers: origin === undefined ? {} : { origin } }, origins)
  return [headers['Access-Control-Allow-Origin'], headers['Access-Control-Allow-Credentials'], headers['Vary']]
}

describe('cross-origin access (ha-api 1.6)', () => {
  test.each([
    // origin, allowed origins → origin that is told, credentials, Vary
    [PAGE, [], [undefined, undefined, undefined]],
    [PAGE, ['https://other.example'], [undefined, undefined, undefined]],
    [PAGE, [PAGE], [PAGE, 'true', 'Origin']],
    [PAGE, ['*'], ['*', undefined, 'Origin']],
    [PAGE, ['*', PAGE], [PAGE, 'true', 'Origin']],
    ['*', ['*'], ['*', undefined, 'Origin']],
    ['null', ['*'], ['*', undefined, 'Origin']],
    [undefined, ['*'], [undefined, undefined, undefined]],
  ])('a page of %s with %j allowed is told %j', (origin, origins, expected) => {
    expect(allowed(origin, origins)).toEqual(expected)
    expect(allowed(origin, origins, 'OPTIONS')).toEqual(expected)
  })
})
