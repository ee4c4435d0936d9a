import { DomainState } from '@mainstay/libvirt-rpc'
import { expect, test } from 'vitest'

import { executes, hasProcess, instanceStateOf } from './instance-state.ts'

test.each([
  // libvirt's state, ours, has a process, executes
  [DomainState.NOSTATE, 'unknown', true, false],
  [DomainState.RUNNING, 'active', true, true],
  [DomainState.BLOCKED, 'active', true, true],
  [DomainState.PAUSED, 'paused', true, false],
  [DomainState.SHUTDOWN, 'active', true, false],
  [DomainState.SHUTOFF, 'stopped', false, false],
  [DomainState.CRASHED, 'error', true, false],
  [DomainState.PMSUSPENDED, 'suspended', true, false],
  [99, 'unknown', true, false],
] as const)('libvirt state %i is %s, with a process: %s, executing: %s', (state, ours, process, executing) => {
  expect([instanceStateOf({ state }), hasProcess({ state }), executes({ state })]).toEqual([ours, process, executing])
})
