import { describe, expect, test } from 'vitest'

import { findOrphans } from './orphans.ts'

const POOL = [
  { name: 'Tracked-ready', state: 'ready' },
  { name: 'tracked-busy', state: 'in_use' },
]
const machine = (name: string, createdAt: number | null, inError = false) => ({ name, createdAt, inError })

describe('orphans at a provider (vm-pool.md A10)', () => {
  test.each([
    // machine → why it goes, at 1000 with a grace of 600
    [machine('unknown-old', 399), 'unknown'],
    [machine('unknown-at-grace', 400), undefined],
    [machine('unknown-young', 900), undefined],
    [machine('unknown-age-unknown', null), undefined],
    [machine('broken', 999, true), 'error'],
    [machine('tracked-busy', 0, true), 'error'],
    [machine('TRACKED-BUSY', 0), undefined],
    [machine('tracked-READY', 0), undefined],
  ] as const)('%o: %s', (listed, because) => {
    const found = findOrphans([listed], POOL, 1000, { grace: 600, alsoReady: false })
    expect(found).toEqual(because === undefined ? [] : [{ machine: listed, because }])
  })

  test('on request the tracked ones that are ready go too, and no others', () => {
    const listed = [machine('tracked-READY', 0), machine('tracked-busy', 0)]
    const found = findOrphans(listed, POOL, 1000, { grace: 600, alsoReady: true })
    expect(found).toEqual([{ machine: listed[0], because: 'ready' }])
  })
})
