import { assert, property, string, array } from 'fast-check'
import { describe, expect, test } from 'vitest'

import { hasSignature, newSecret, signatureHeader } from './signature.ts'

const SIGNED = { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', timestampS: 1_614_265_330, body: '{"test": 2432232314}' }

describe('the signature of a delivery (E-221, R39)', () => {
  test('E-221 is the one of the published example of Standard Webhooks', () => {
    const header = signatureHeader(SIGNED, ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'])
    expect(header).toBe('v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=')
  })

  test('E-221 has one part for each secret during a rotation, and either secret finds its own', () => {
    const [fresh, old] = [newSecret(), 'an old secret that somebody made up']
    const header = signatureHeader(SIGNED, [fresh, old])
    expect(header.split(' ')).toHaveLength(2)
    expect(hasSignature(header, SIGNED, fresh)).toBe(true)
    expect(hasSignature(header, SIGNED, old)).toBe(true)
    expect(hasSignature(header, SIGNED, newSecret())).toBe(false)
  })

  test.each([
    ['id', { ...SIGNED, id: 'msg_other' }],
    ['time', { ...SIGNED, timestampS: SIGNED.timestampS + 1 }],
    ['body', { ...SIGNED, body: '{"test": 2432232315}' }],
  ])('E-221 fits no delivery with another %s', (_what, other) => {
    const secret = newSecret()
    expect(hasSignature(signatureHeader(SIGNED, [secret]), other, secret)).toBe(false)
  })

  test('E-221 whatever stands in the header, checking it does not throw', () => {
    assert(
      property(array(string()), (parts) => {
        expect(hasSignature(parts.join(' '), SIGNED, 'secret')).toBe(false)
      }),
    )
  })

  test('secrets are long and never the same', () => {
    const secrets = new Set(Array.from({ length: 100 }, newSecret))
    expect(secrets.size).toBe(100)
    for (const secret of secrets) expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/)
  })
})
