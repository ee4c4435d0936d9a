import { describe, expect, test } from 'vitest'

import type { Machine, MachineStatus } from './provider.ts'
import { findMachine, judgeStanding } from './take-over.ts'

const MADE_AT = 1000
const TIMEOUT_MS = 500

function machine(
  status: MachineStatus,
  { address = null, installation = 'ours', name = 'vm', id = 'id' } = {},
): Machine {
  const tags = { installation, pool: 'p', vmName: name, createdAt: MADE_AT }
  return { providerId: id, name, address, status, tags, data: {} }
}

describe('a machine that bears the name of the one to be made (C10)', () => {
  test.each([
    ['running', '10.0.0.1', 0, 'use'],
    ['running', '10.0.0.1', 10_000, 'use'],
    ['running', null, 499, 'wait'],
    ['running', null, 500, 'remake'],
    ['building', null, 499, 'wait'],
    ['building', null, 500, 'remake'],
    ['deleting', null, 499, 'wait'],
    ['deleting', null, 500, 'remake'],
    ['stopped', null, 0, 'start'],
    ['stopped', '10.0.0.1', 10_000, 'start'],
    ['error', '10.0.0.1', 0, 'remake'],
    ['unknown', null, 499, 'wait'],
    ['unknown', null, 500, 'unclear'],
  ] as const)('%s with address %s, %i ms after it was asked for: %s', (status, address, ageMs, verdict) => {
    const options = { installation: 'ours', now: MADE_AT + ageMs, createTimeoutMs: TIMEOUT_MS }
    const standing: Machine = { ...machine(status), address }
    expect(judgeStanding(standing, options)).toBe(verdict)
    expect(judgeStanding({ ...standing, tags: null }, options)).toBe('foreign')
    expect(judgeStanding({ ...standing, tags: { ...standing.tags!, installation: 'theirs' } }, options)).toBe('foreign')
  })

  test('is found by its identifier where that is known, else by its name, ours before others', () => {
    const theirs = machine('running', { installation: 'theirs', id: 'a' })
    const ours = machine('running', { id: 'b' })
    const all = [theirs, ours, machine('running', { name: 'other', id: 'c' })]
    const find = (name: string, providerId: string | null) =>
      findMachine(all, { name, providerId }, { installation: 'ours' })?.providerId
    expect(find('vm', null)).toBe('b')
    expect(find('vm', 'a')).toBe('a')
    expect(find('vm', 'gone')).toBeUndefined()
    expect(find('none', null)).toBeUndefined()
  })
})
