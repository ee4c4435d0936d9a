import { expect, test } from 'vitest'

import type { Instance, InstanceState } from '../../compute/index.ts'
import { planInstanceRecovery } from './judge-instance.ts'

const POLICY = { processAllInstances: false, instanceHaMetadataKey: 'HA_Enabled' }

function guest(state: InstanceState, mark: string): Instance {
  return { state, name: 'g', metadata: { HA_Enabled: mark } } as unknown as Instance
}

test.each<[InstanceState, string, boolean, string]>([
  // state, mark, restart all → plan
  ['active', 'yes', false, 'stop, start'],
  ['error', 'yes', false, 'stop, start'],
  ['suspended', 'yes', false, 'stop, start'],
  ['stopped', 'yes', false, 'start'],
  ['resized', 'yes', false, 'reset, stop, start'],
  ['paused', 'yes', false, 'ignored'],
  ['rescued', 'yes', false, 'ignored'],
  ['active', 'no', false, 'finished'],
  ['paused', 'no', false, 'finished'],
  ['active', 'no', true, 'stop, start'],
  ['rescued', 'no', true, 'ignored'],
])('13.2 a guest that is %s, marked %s, all: %s → %s', (state, mark, processAllInstances, wanted) => {
  const plan = planInstanceRecovery(guest(state, mark), { ...POLICY, processAllInstances })
  const acts =
    plan.act === 'nothing'
      ? [plan.status]
      : [...(plan.resetFirst ? ['reset'] : []), ...(plan.stopFirst ? ['stop'] : []), 'start']
  expect(acts.join(', ')).toBe(wanted)
  expect(plan.because).toContain('guest g')
})

test.each<[state: InstanceState, host: string, triedOn: string | null, wanted: string]>([
  ['active', 'there', 'here', 'nothing'],
  ['active', 'here', 'here', 'restart'],
  ['active', 'there', null, 'restart'],
  ['stopped', 'there', 'here', 'restart'],
  ['error', 'there', 'here', 'restart'],
])('11.4 a guest that is %s on host %s and was tried on %s: %s', (state, host, triedOn, wanted) => {
  const plan = planInstanceRecovery({ ...guest(state, 'yes'), host }, POLICY, triedOn)
  expect(plan.act).toBe(wanted)
})
