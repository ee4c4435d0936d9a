import { createHmac, timingSafeEqual } from 'node:crypto'

import { unpredictableBytes } from '../../core/random.ts'

const PREFIX = 'whsec_'
const SECRET_BYTES = 32

/** A secret for a webhook, in the form that libraries of Standard Webhooks take. */
export function newSecret(): string {
  return PREFIX + Buffer.from(unpredictableBytes(SECRET_BYTES)).toString('base64')
}

/** What stands in the headers of one delivery. */
export interface Signed {
  readonly id: string
  /** Unix time in seconds. */
  readonly timestampS: number
  readonly body: string
}

/**
 * The value of `webhook-signature`: one signature for each secret that is valid now, the newest first, so that a
 * receiver may change its secret at any time during a rotation.
 *
 * Source: event-stream.md R39.
 */
export function signatureHeader(signed: Signed, secrets: readonly string[]): string {
  return secrets.map((secret) => `v1,${sign(signed, secret).toString('base64')}`).join(' ')
}

/** Whether one of the signatures of the header was made with the secret: what a receiver has to check. */
export function hasSignature(header: string, signed: Signed, secret: string): boolean {
  const expected = sign(signed, secret)
  return header.split(' ').some((each) => {
    const [version, value = ''] = each.split(',')
    const given = Buffer.from(value, 'base64')
    return version === 'v1' && given.length === expected.length && timingSafeEqual(given, expected)
  })
}

function sign({ id, timestampS, body }: Signed, secret: string): Buffer {
  return createHmac('sha256', keyOf(secret)).update(`${id}.${timestampS}.${body}`).digest()
}

/** A secret with the prefix is base64 after it; any other is its own bytes. */
function keyOf(secret: string): Buffer {
  return secret.startsWith(PREFIX) ? Buffer.from(secret.slice(PREFIX.length), 'base64') : Buffer.from(secret, 'utf8')
}
