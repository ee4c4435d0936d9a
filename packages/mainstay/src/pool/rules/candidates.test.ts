import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { acquireCandidates, type CandidateVm } from './candidates.ts'

const vm = (name: string, boundToUser: string | null, sandbox: string | null, state = 'ready') => ({
  name,
  boundToUser,
  sandbox,
  state,
})

describe('candidates of an acquire (vm-pool.md A5.2)', () => {
  const vms = [
    vm('clean1', null, null),
    vm('mine', 'bob', 'S'),
    vm('other sandbox', 'bob', 'T'),
    vm('foreign', 'foo', 'S'),
    vm('busy', 'bob', 'S', 'in_use'),
    vm('ending', null, null, 'terminating'),
    vm('clean2', null, null),
  ]

  test('the dirty ones first, then the clean ones, in the order that was given', () => {
    const names = acquireCandidates(vms, { owner: 'bob', sandbox: 'S', mayMore: true }).map(({ name }) => name)
    expect(names).toEqual(['mine', 'clean1', 'clean2'])
  })

  test('at the limit only the dirty ones', () => {
    const names = acquireCandidates(vms, { owner: 'bob', sandbox: 'S', mayMore: false }).map(({ name }) => name)
    expect(names).toEqual(['mine'])
  })

  test('never a machine of somebody else, of another sandbox, or that is not ready', () => {
    const person = fc.constantFrom('a', 'b')
    const vmOf = fc.record({
      state: fc.constantFrom('ready', 'in_use', 'check_health', 'terminating', 'got_ip', 'check_health_failed'),
      boundToUser: fc.option(person),
      sandbox: fc.option(fc.constantFrom('S', 'T')),
    }) satisfies fc.Arbitrary<CandidateVm>
    fc.assert(
      fc.property(fc.array(vmOf), person, fc.constantFrom('S', 'T'), fc.boolean(), (all, owner, sandbox, mayMore) => {
        const chosen = acquireCandidates(all, { owner, sandbox, mayMore })
        expect(new Set(chosen).size).toBe(chosen.length)
        for (const each of chosen) {
          expect(each.state).toBe('ready')
          const mine = each.boundToUser === owner && each.sandbox === sandbox
          expect(mine || (each.boundToUser === null && mayMore)).toBe(true)
        }
      }),
    )
  })
})
