import { expect, test } from 'vitest'

import { dashedUuid } from './dashed-uuid.ts'
import { hasHaMark } from './ha-mark.ts'

test.each([
  ...['1', 't', 'true', 'on', 'y', 'yes', 'True', 'TRUE', 'YES', ' true '].map((text) => [text, true] as const),
  ...['0', 'f', 'false', 'off', 'n', 'no', '', 'maybe', 'truee', '2'].map((text) => [text, false] as const),
])('12.4 the mark %j means %s', (text, wanted) => {
  expect(hasHaMark({ HA_Enabled: text }, 'HA_Enabled')).toBe(wanted)
})

test('12.4 no mark, or one under another key, is none', () => {
  expect(hasHaMark({}, 'HA_Enabled')).toBe(false)
  expect(hasHaMark({ ha_enabled: 'true' }, 'HA_Enabled')).toBe(false)
})

const UUID = 'd6b1b1f2-0a3b-4c5d-8e9f-001122334455'

test.each([
  [UUID, UUID],
  [UUID.toUpperCase(), UUID],
  [UUID.replaceAll('-', ''), UUID],
  [`{${UUID}}`, UUID],
  [`urn:uuid:${UUID}`, UUID],
  ['VM-1', 'vm-1'],
  ['', ''],
])('the guest %j is looked up as %j', (written, wanted) => {
  expect(dashedUuid(written)).toBe(wanted)
})
