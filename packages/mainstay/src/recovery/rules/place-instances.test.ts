import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import type { ComputeHost } from '../../compute/index.ts'
import { placeInstances } from './place-instances.ts'

function host(name: string, freeMemoryMib: number, parts: Partial<ComputeHost> = {}): ComputeHost {
  const rest = { state: 'up', enabled: true, disabledReason: null, memoryMib: 1_000_000, vcpus: 1 } as const
  return { name, freeMemoryMib, ...rest, ...parts }
}

const guest = (uuid: string, memoryMib: number): { uuid: string; memoryMib: number } => ({ uuid, memoryMib })

describe('where guests go', () => {
  test.each([
    ['to the host with the most room', [guest('g', 10)], [host('a', 50), host('b', 60)], [], { g: 'b' }, []],
    ['by name between equals', [guest('g', 10)], [host('b', 50), host('a', 50)], [], { g: 'a' }, []],
    ['spread', [guest('g', 10), guest('h', 10)], [host('a', 50), host('b', 50)], [], { g: 'a', h: 'b' }, []],
    ['exactly full', [guest('g', 50)], [host('a', 50)], [], { g: 'a' }, []],
    ['nowhere when none has room', [guest('g', 51)], [host('a', 50)], [], {}, ['g']],
    ['the smaller one still', [guest('g', 51), guest('h', 50)], [host('a', 50)], [], { h: 'a' }, ['g']],
    ['not to one that is avoided', [guest('g', 1)], [host('a', 50), host('b', 2)], ['a'], { g: 'b' }, []],
    ['not to one that is down', [guest('g', 1)], [host('a', 50, { state: 'down' })], [], {}, ['g']],
    ['not to one that may be down', [guest('g', 1)], [host('a', 50, { state: 'unknown' })], [], {}, ['g']],
    ['not to one that is disabled', [guest('g', 1)], [host('a', 50, { enabled: false })], [], {}, ['g']],
    ['not to one that is overfull', [guest('g', 0)], [host('a', -5)], [], {}, ['g']],
    ['nowhere without hosts', [guest('g', 1)], [], [], {}, ['g']],
  ] as const)('%s', (_what, guests, hosts, avoid, targets, homeless) => {
    expect(placeInstances(guests, hosts, new Set(avoid))).toEqual({ targets, homeless })
  })

  test('never over capacity, never where they must not, the same whatever the order of the hosts', () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f']
    const hosts = fc.uniqueArray(
      fc.record({
        name: fc.constantFrom(...names),
        free: fc.integer({ min: -100, max: 500 }),
        state: fc.constantFrom('up' as const, 'up' as const, 'down' as const, 'unknown' as const),
        enabled: fc.boolean(),
      }),
      { selector: ({ name }) => name },
    )
    const guests = fc.array(fc.nat(200), { maxLength: 20 })
    const avoid = fc.subarray(names)
    fc.assert(
      fc.property(hosts, guests, avoid, fc.nat(), (given, sizes, avoided, turn) => {
        const fleet = given.map(({ name, free, state, enabled }) => host(name, free, { state, enabled }))
        const wanted = sizes.map((size, index) => guest(`g${index}`, size))
        const placement = placeInstances(wanted, fleet, new Set(avoided))
        for (const { name, freeMemoryMib, state, enabled } of fleet) {
          const here = wanted.filter(({ uuid }) => placement.targets[uuid] === name)
          const used = here.reduce((sum, { memoryMib }) => sum + memoryMib, 0)
          if (here.length === 0) continue
          expect(used).toBeLessThanOrEqual(freeMemoryMib)
          expect([state, enabled, avoided.includes(name)]).toEqual(['up', true, false])
        }
        const everybody = [...Object.keys(placement.targets), ...placement.homeless]
        expect(new Set(everybody)).toEqual(new Set(wanted.map(({ uuid }) => uuid)))
        expect(everybody).toHaveLength(wanted.length)
        const cut = fleet.length === 0 ? 0 : turn % fleet.length
        const turned = [...fleet.slice(cut), ...fleet.slice(0, cut)]
        expect(placeInstances(wanted, turned, new Set(avoided))).toEqual(placement)
        expect(placeInstances(wanted, fleet.toReversed(), new Set(avoided))).toEqual(placement)
      }),
    )
  })
})
