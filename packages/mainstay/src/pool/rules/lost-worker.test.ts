import { describe, expect, test } from 'vitest'

import { isWorkerDoubtful } from './lost-worker.ts'

describe('workers that may be dead (vm-pool.md A6.6)', () => {
  test.each([
    // state, in use since, worker, now → looked at
    ['in_use', 0, '17', 0, true],
    ['in_use', 0, '17', 1000, true],
    ['in_use', 0, 'None', 59.999, false],
    ['in_use', 0, 'None', 60, true],
    ['in_use', null, '17', 1000, false],
    ['in_use', 0, null, 1000, false],
    ['ready', 0, '17', 1000, false],
    ['terminating', 0, '17', 1000, false],
  ] as const)('%s since %s by %s, at %d: %s', (state, inUseSince, worker, now, expected) => {
    expect(isWorkerDoubtful({ state, inUseSince, worker }, now)).toBe(expected)
  })
})
