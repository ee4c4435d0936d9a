import { describe, expect, test } from 'vitest'

import { InvalidInputError } from '../core/errors.ts'
import { requireAdoptable } from './adoptable.ts'
import { VmExistsError } from './errors.ts'

const known = [
  { name: 'use1', group: 'g', ip: '192.0.2.1', state: 'in_use' },
  { name: 'old', group: 'g', ip: '192.0.2.2', state: 'terminating' },
  { name: 'young', group: 'g', ip: null, state: 'requested' },
] as const

describe('C15 machines that somebody names for adoption', () => {
  test.each([
    ['vm-1', '192.0.2.9'],
    ['Builder_7.example', '2001:db8::7'],
    ['vm-2', '192.0.2.2'],
  ])('C15 %s at %s may come', (name, ip) => {
    expect(requireAdoptable({ name, ip }, known)).toBeUndefined()
  })

  test.each([
    ['a b;$(rm)', '192.0.2.9', InvalidInputError],
    ['-rf', '192.0.2.9', InvalidInputError],
    ['../up', '192.0.2.9', InvalidInputError],
    ['', '192.0.2.9', InvalidInputError],
    ['x'.repeat(129), '192.0.2.9', InvalidInputError],
    ['vm-1', 'not-an-ip', InvalidInputError],
    ['vm-1', '192.0.2.1', InvalidInputError],
    ['use1', '192.0.2.9', VmExistsError],
    ['USE1', '192.0.2.9', VmExistsError],
    ['OLD', '192.0.2.9', VmExistsError],
  ])('C15 %s at %s is refused', (name, ip, error) => {
    expect(() => requireAdoptable({ name, ip }, known)).toThrow(error)
  })
})
