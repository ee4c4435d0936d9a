import { readFile } from 'node:fs/promises'

import { describe, expect, test } from 'vitest'

import { newSecret, signatureHeader } from '../../packages/mainstay/src/events/webhooks/signature.ts'
import { isGenuine } from '../support/examples/verify-webhook.ts'

const ROOT = new URL('../../', import.meta.url)

/** The blocks of code of a page that are also files, which the type checker and other tests see. */
async function examples(page: string): Promise<[file: string, code: string][]> {
  const text = await readFile(new URL(page, ROOT), 'utf8')
  return [...text.matchAll(/<!-- (test\/support\/examples\/\S+) -->\n```ts\n(.*?)```/gs)].map(
    ([, file = '', code = '']) => [file, code],
  )
}

describe('docs/how-to/event-stream.md', () => {
  test('its examples are the files that are compiled and run', async () => {
    const found = await examples('docs/how-to/event-stream.md')
    expect(found.map(([file]) => file)).toEqual([
      'test/support/examples/follow-events.ts',
      'test/support/examples/verify-webhook.ts',
    ])
    for (const [file, code] of found) expect([file, code]).toEqual([file, await readFile(new URL(file, ROOT), 'utf8')])
  })

  test('E-221 its check of a signature takes what is genuine and new, and nothing else', () => {
    const [secret, other] = [newSecret(), newSecret()]
    const signed = { id: 'e1', timestampS: 1_800_000_000, body: '{"ü":1}' }
    const headers = (fields: Readonly<Record<string, string>> = {}): Headers =>
      new Headers({
        'webhook-id': signed.id,
        'webhook-timestamp': String(signed.timestampS),
        'webhook-signature': signatureHeader(signed, [other, secret]),
        ...fields,
      })
    const now = signed.timestampS + 10
    expect(isGenuine(headers(), signed.body, secret, now)).toBe(true)
    expect(isGenuine(headers(), signed.body, other, now)).toBe(true)
    expect(isGenuine(headers(), signed.body, newSecret(), now)).toBe(false)
    expect(isGenuine(headers(), '{}', secret, now)).toBe(false)
    expect(isGenuine(headers({ 'webhook-id': 'e2' }), signed.body, secret, now)).toBe(false)
    expect(isGenuine(headers(), signed.body, secret, now + 3600)).toBe(false)
    expect(isGenuine(new Headers(), signed.body, secret, now)).toBe(false)
  })
})
