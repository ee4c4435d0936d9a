import { expect, test } from 'vitest'

import { clientAddress } from './client-address.ts'

const request = (forwarded?: string, remoteAddress: string | undefined = '10.0.0.1') =>
  ({ headers: { 'x-forwarded-for': forwarded }, socket: { remoteAddress } }) as unknown as Parameters<
    typeof clientAddress
  >[0]

test.each([
  ['nobody stands between', undefined, false, '10.0.0.1'],
  ['a client claims that somebody does', '1.2.3.4', false, '10.0.0.1'],
  ['a proxy of ours stands between', '1.2.3.4', true, '1.2.3.4'],
  ['a client claims more than the proxy says', '6.6.6.6, 1.2.3.4', true, '1.2.3.4'],
  ['the proxy says nothing', '', true, '10.0.0.1'],
])('11.9 %s', (_what, forwarded, behindProxy, expected) => {
  expect(clientAddress(request(forwarded), { behindProxy })).toBe(expected)
})
