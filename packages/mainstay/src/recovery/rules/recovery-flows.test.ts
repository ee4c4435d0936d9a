import { expect, test } from 'vitest'

import { recoveryFlows } from './recovery-flows.ts'

const newer = { uuid: 'n', name: 'newer' }
const older = { uuid: 'o', name: 'older' }

test.each([
  ['auto', [newer, older], ['auto']],
  ['auto', [], ['auto']],
  ['reserved_host', [newer, older], ['newer', 'older']],
  ['reserved_host', [], []],
  ['auto_priority', [newer, older], ['auto', 'newer', 'older']],
  ['auto_priority', [], ['auto']],
  ['rh_priority', [newer, older], ['newer', 'older', 'auto']],
  ['rh_priority', [], ['auto']],
] as const)('12.2 %s with %j: %j', (method, candidates, wanted) => {
  const flows = recoveryFlows(method, candidates)
  expect(flows.map((flow) => (flow.kind === 'auto' ? 'auto' : flow.host.name))).toEqual(wanted)
})
