import { describe, expect, test } from 'vitest'

import type { Instance } from '../../compute/index.ts'
import { selectInstances, type SelectionPolicy } from './select-instances.ts'
import { selectionLines } from './selection-lines.ts'

const POLICY: SelectionPolicy = {
  evacuateAllInstances: true,
  ignoreInstancesInErrorState: false,
  hostHaMetadataKey: 'HA_Enabled',
}

function guest(uuid: string, parts: Partial<Instance> & { marked?: boolean } = {}): Instance {
  const { marked = false, ...rest } = parts
  return {
    uuid,
    name: `name of ${uuid}`,
    host: 'h',
    state: 'active',
    taskState: null,
    locked: false,
    metadata: marked ? { HA_Enabled: 'True' } : {},
    memoryMib: 1,
    vcpus: 1,
    boundBecause: null,
    projectId: null,
    ...rest,
  }
}

const FLEET = [
  guest('a'),
  guest('b', { marked: true }),
  guest('c', { state: 'error', marked: true }),
  guest('d', { state: 'error' }),
  guest('e', { marked: true }),
  guest('bound', { marked: true, boundBecause: 'a disk of its host' }),
]

describe('which guests are evacuated (ha-api 12.4)', () => {
  test.each([
    ['all: HA first, each group in order', {}, 'b c e a d', 'bound'],
    ['only those with the mark', { evacuateAllInstances: false }, 'b c e', 'a d bound'],
    ['not those in error', { ignoreInstancesInErrorState: true }, 'b e a', 'c d bound'],
    ['neither', { evacuateAllInstances: false, ignoreInstancesInErrorState: true }, 'b e', 'a c d bound'],
    ['by another mark', { evacuateAllInstances: false, hostHaMetadataKey: 'other' }, '', 'a b c d e bound'],
  ])('%s', (_what, changes, evacuated, left) => {
    const { evacuate, leave } = selectInstances(FLEET, { ...POLICY, ...changes })
    expect(evacuate.map(({ uuid }) => uuid).join(' ')).toBe(evacuated)
    expect(leave.map(({ uuid }) => uuid).join(' ')).toBe(left)
    expect(leave.every(({ because }) => because !== '')).toBe(true)
  })

  test('a guest that is bound to its host stays, with the reason', () => {
    const { leave } = selectInstances(FLEET, POLICY)
    expect(leave).toEqual([
      { uuid: 'bound', name: 'name of bound', because: 'it cannot run elsewhere: a disk of its host' },
    ])
  })
})

describe('its lines of progress (ha-api 12.4)', () => {
  test.each([
    ['all', {}, [0.3, 0.6, 0.7, 0.8, 1], /to be evacuated: b, c, e, a, d$/],
    ['marked ones', { evacuateAllInstances: false }, [0.3, 0.6, 1], /to be evacuated: b, c, e$/],
    ['without errors', { ignoreInstancesInErrorState: true }, [0.3, 0.4, 0.6, 0.7, 0.8, 1], /b, e, a$/],
    ['none', { evacuateAllInstances: false, hostHaMetadataKey: 'other' }, [0.3, 0.6, 1], /^Skipped host 'h'/],
  ])('%s', (_what, changes, fractions, last) => {
    const lines = selectionLines('h', FLEET, { ...POLICY, ...changes })
    expect(lines.map(([fraction]) => fraction)).toEqual(fractions)
    expect(lines.at(-1)![1]).toMatch(last)
  })
})
