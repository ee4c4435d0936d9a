import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import type { Json, JsonObject } from '../core/json.ts'
import { toJson } from '../core/json.ts'
import { globMatches } from './filter/pattern.ts'
import { MAX_MATCHED_LENGTH, prepareEvent } from './prepare-event.ts'
import { redact } from './redact.ts'
import { storedText } from './stored-event.ts'
import { newEvent } from './testing/new-event.ts'

const SECRET = 'hunter2'

describe('R32 redaction', () => {
  test.each<[what: string, given: JsonObject, stored: JsonObject]>([
    ['a password', { user: 'u', password: SECRET }, { user: 'u', password: '***' }],
    [
      'in another spelling',
      { adminPass: SECRET, 'Admin-Password': SECRET },
      { adminPass: '***', 'Admin-Password': '***' },
    ],
    ['a token, a secret', { auth_token: SECRET, clientSecret: 7 }, { auth_token: '***', clientSecret: '***' }],
    ['a key', { 'ssh.private_key': SECRET, config_drive: SECRET }, { 'ssh.private_key': '***', config_drive: '***' }],
    [
      'members of credentials',
      { credentials: { a: SECRET, b: [SECRET], c: null } },
      { credentials: { a: '***', b: '***', c: null } },
    ],
    [
      'all of driver_info',
      { 'ironic_object.data': { driver_info: { ipmi_username: SECRET, deep: { x: SECRET } } } },
      { 'ironic_object.data': { driver_info: { ipmi_username: '***', deep: '***' } } },
    ],
    [
      'in lists',
      { list: [{ token: SECRET }, 1, [{ secret: SECRET }]] },
      { list: [{ token: '***' }, 1, [{ secret: '***' }]] },
    ],
    ['in addresses', { url: `redfish://admin:${SECRET}@bmc/x` }, { url: 'redfish://admin:***@bmc/x' }],
    ['the context of a request', { _context_auth_token: SECRET, _context_user: 'u', x: 1 }, { x: 1 }],
    [
      'not what says nothing',
      { password: null, token: '', config_drive: true, key_name: 'k' },
      { password: null, token: '', config_drive: true, key_name: 'k' },
    ],
  ])('%s', (_what, given, stored) => {
    const before = structuredClone(given)
    expect(redact(given)).toEqual(stored)
    expect(given).toEqual(before)
  })

  test('leaves a payload without secrets as it is, without a copy', () => {
    const payload = { a: { b: [1, { c: 'x' }] }, __proto__: { polluted: 1 } }
    expect(redact(payload)).toBe(payload)
  })

  test('E-223 whatever surrounds a secret, it is not in what is stored, and nothing else is lost', () => {
    const secretName = fc.constantFrom('password', 'X_SECRET', 'authToken', 'private_key', 'configdrive', 'Credential')
    const value: fc.Arbitrary<Json> = fc.jsonValue({ maxDepth: 4 }) as fc.Arbitrary<Json>
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), value),
        fc.array(fc.string(), { maxLength: 5 }),
        secretName,
        (around, path, name) => {
          const inner: JsonObject = { ...around, [name]: { a: [SECRET], b: `x${SECRET}` } }
          const payload = path.reduce<JsonObject>((object, step) => ({ [step]: [object] }), inner)
          expect(toJson(redact(payload))).not.toContain(SECRET)
        },
      ),
    )
  })

  test('of a body that is as deep as it is hostile ends', () => {
    let deep: Json = SECRET
    for (let level = 0; level < 100_000; level += 1) deep = [deep]
    expect(toJson(redact({ deep }))).toMatch(/\["\[…\]"\]/)
  })
})

describe('the size of an event (11.9)', () => {
  test.each([
    ['a text', { text: 'x'.repeat(1024 * 1024), service_type: 's', resource_id: 'r' }],
    ['many members', Object.fromEntries(Array.from({ length: 90_000 }, (_, index) => [`name-${index}`, index]))],
    ['control characters', { text: '\u0001'.repeat(200_000) }],
  ])('%s beyond the limit is replaced by its size and where to ask', (_what, data) => {
    const stored = prepareEvent(newEvent(1, { data }))
    expect(stored.data).toMatchObject({ truncated: true, history: '/v1/events/id-1' })
    expect(stored.data['size']).toBeGreaterThan(1024 * 1024)
    expect(storedText(stored).length).toBeLessThan(2000)
    expect(stored).toMatchObject({ node_name: 'node-1', resource_id: 'r-1' })
  })

  test('keeps the members that the compatible frame has', () => {
    const data = { service_type: 'baremetal', resource_id: null, blob: 'x'.repeat(5000) }
    expect(prepareEvent(newEvent(1, { data }), 4000).data).toMatchObject({
      service_type: 'baremetal',
      resource_id: null,
    })
  })

  test('is bounded although the sender puts the bulk elsewhere', () => {
    const stored = prepareEvent(newEvent(1, { event_type: 'x'.repeat(2 ** 21), node_name: 'y'.repeat(2 ** 21) }))
    expect(storedText(stored).length).toBeLessThan(10_000)
  })

  test('E-209 names that patterns are held against are cut to a length that no pattern makes dear', () => {
    const data = { node: 'n'.repeat(100_000) }
    const stored = prepareEvent(newEvent(1, { node_name: data.node, event_type: 't.'.repeat(5000), data }))
    expect([stored.node_name?.length, stored.event_type.length]).toEqual([MAX_MATCHED_LENGTH, MAX_MATCHED_LENGTH])
    expect(stored.data).toEqual(data)
    const longest = 256
    // The dearest pattern there can be reads each letter of the text once for each of its own.
    const text = countingLetters('a'.repeat(MAX_MATCHED_LENGTH))
    expect(globMatches(`*${'a'.repeat(longest - 2)}b`, text)).toBe(false)
    expect(text.reads).toBeLessThanOrEqual(MAX_MATCHED_LENGTH * longest)
  })

  test.each([100, 100_000, 1_000_000])('%i bytes are left as they are', (size) => {
    const event = newEvent(1, { data: { text: 'x'.repeat(size) } })
    expect(prepareEvent(event)).toBe(event)
  })
})

describe('the id of the source', () => {
  test.each(['', 'x'.repeat(300), 'nul \0', 'half \uD800', 'ünïcode'])(
    '%j becomes one that every store can keep',
    (id) => {
      const one = prepareEvent(newEvent(1, { source_event_id: id }))
      expect(one.source_event_id).toMatch(/^[0-9a-f-]{36}$/)
      expect(prepareEvent(newEvent(2, { source_event_id: id })).source_event_id).toBe(one.source_event_id)
      expect(prepareEvent(newEvent(2, { source_event_id: `${id}\0` })).source_event_id).not.toBe(one.source_event_id)
    },
  )
})

function countingLetters(text: string): { readonly length: number; reads: number; charCodeAt(at: number): number } {
  return {
    length: text.length,
    reads: 0,
    charCodeAt(at: number): number {
      this.reads += 1
      return text.charCodeAt(at)
    },
  }
}
