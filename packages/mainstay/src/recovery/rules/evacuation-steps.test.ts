import { describe, expect, test } from 'vitest'

import type { Instance, InstanceState } from '../../compute/index.ts'
import { evacuationSteps, hasArrived } from './evacuation-steps.ts'

const OTHERS = ['paused', 'suspended', 'rescued', 'building', 'unknown'] as const

describe('around an evacuation (ha-api 12.5, step 2)', () => {
  test.each<[InstanceState, string | null, boolean, boolean, boolean]>([
    // state, task → reset before, stop after, reset after
    ['active', null, false, false, false],
    ['active', 'powering-off', true, false, false],
    ['stopped', null, false, false, false],
    ['stopped', 'powering-on', true, true, false],
    ['error', null, false, true, true],
    ['error', 'rebuilding', true, true, true],
    ['resized', null, true, false, false],
    ['resized', 'resize_finish', true, false, false],
    ...OTHERS.flatMap((state): [InstanceState, string | null, boolean, boolean, boolean][] => [
      [state, null, true, true, false],
      [state, 'spawning', true, true, false],
    ]),
  ])('%s, %s: reset %s, stop afterwards %s, reset again %s', (state, taskState, ...wanted) => {
    const { resetBefore, stopAfter, resetAfter } = evacuationSteps({ state, taskState })
    expect([resetBefore, stopAfter, resetAfter]).toEqual(wanted)
  })

  test.each<[InstanceState, string | null, boolean, boolean, boolean]>([
    // before we broke it, its task now → reset before, stop after, reset after
    ['active', null, false, false, false],
    ['active', 'rebuilding', true, false, false],
    ['resized', null, false, false, false],
    ['stopped', null, false, true, false],
    ['paused', null, false, true, false],
    ['error', null, false, true, true],
  ])('in error now and %s before, %s: reset %s, stop afterwards %s, reset again %s', (state, taskState, ...wanted) => {
    const { resetBefore, stopAfter, resetAfter } = evacuationSteps({ state: 'error', taskState }, { state })
    expect([resetBefore, stopAfter, resetAfter]).toEqual(wanted)
  })
})

describe('arrival (ha-api 12.5, step 4)', () => {
  const guest = (host: string, state: InstanceState): Instance => ({ host, state, name: 'g' }) as unknown as Instance

  test.each<[InstanceState, string, InstanceState, boolean]>([
    // remembered, host now, state now
    ['active', 'old', 'active', false],
    ['active', 'new', 'active', true],
    ['active', 'new', 'stopped', false],
    ['active', 'new', 'building', false],
    ['stopped', 'new', 'stopped', true],
    ['stopped', 'new', 'active', false],
    ['error', 'old', 'error', false],
    ['error', 'old', 'active', false],
    ['error', 'new', 'error', true],
    ['error', 'new', 'active', true],
    ['error', 'new', 'stopped', false],
  ])('remembered %s, on the %s host and %s: %s', (remembered, host, state, wanted) => {
    expect(hasArrived(guest(host, state), 'old', remembered)).toBe(wanted)
  })

  test.each(['old', 'new'])('is given up at once when the guest goes into error on the %s host', (host) => {
    expect(() => hasArrived(guest(host, 'error'), 'old', 'active')).toThrow('guest g went into error')
  })
})
