import { describe, expect, test } from 'vitest'

import { damageOf } from './damage.ts'

const SOUND = { vm_name: 'vm', vm_ip: '10.0.0.1', group: '0', state: 'ready' }
const LISTING = { name: 'vm', groups: [0] }

describe('what is wrong with a record of the reference (vm-pool.md C18)', () => {
  test.each<Record<string, string>>([
    {},
    { vm_ip: '2001:db8::7' },
    { check_fails: '0', builds_count: '17', last_health_check: '1700000000.123456', last_release: '1e-05' },
    { used_by_pid: 'None', task_id: 'None', region: 'anything' },
  ])('C18 nothing with %j', (fields) => {
    expect(damageOf({ ...SOUND, ...fields }, LISTING)).toBeNull()
  })

  test.each<[field: string, value: string, what: string]>([
    ['vm_ip', '256.0.0.2', 'no address'],
    ['vm_ip', 'builder.example.com', 'no address'],
    ['vm_ip', '', 'no address'],
    ['vm_ip', 'None', 'no address'],
    ['state', 'dreaming', 'an unknown state'],
    ['state', 'held', 'an unknown state'],
    ['state', '', 'an unknown state'],
    ['group', '7', 'another group than the one whose list it is in (0)'],
    ['group', '00', 'not how the number of a group is written'],
    ['group', ' 0', 'not how the number of a group is written'],
    ['group', 'abc', 'not how the number of a group is written'],
    ['vm_name', 'other', 'not the name under which it is kept'],
    ['check_fails', 'many', 'no whole number'],
    ['check_fails', '1.5', 'no whole number'],
    ['check_fails', '-1', 'no whole number'],
    ['builds_count', 'None', 'no whole number'],
    ['builds_count', '9007199254740993', 'no whole number'],
    ['last_health_check', 'yesterday', 'no time'],
    ['last_health_check', 'nan', 'no time'],
    ['in_use_since', '', 'no time'],
    ['last_release', '-5', 'no time'],
    ['terminating_since', '1e300', 'no time'],
  ])('C18 the field %s being "%s" is told: %s', (field, value, what) => {
    expect(damageOf({ ...SOUND, [field]: value }, LISTING)).toContain(
      `its field ${field} is "${value}", which is ${what}`,
    )
  })

  test('C18 a name in the lists of two groups is told with both', () => {
    expect(damageOf(SOUND, { name: 'vm', groups: [0, 3] })).toContain('in the lists of the groups 0 and 3')
  })

  test('C18 what is missing is not missed here', () => {
    expect(damageOf({}, LISTING)).toBeNull()
  })
})
