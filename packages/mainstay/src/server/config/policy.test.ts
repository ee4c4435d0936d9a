import { expect, test } from 'vitest'

import { DEFAULT_POLICY } from '../../recovery/index.ts'
import { loadConfig } from './load.ts'
import { recoveryPolicy } from './policy.ts'

test('every member of the policy has an option, with the same default', async () => {
  expect(recoveryPolicy(await loadConfig({ set: [] }))).toEqual(DEFAULT_POLICY)
})

test('how a silent platform is asked again is chosen', async () => {
  const set = ['request_attempts=2', 'request_retry_min_ms=10', 'request_retry_max_ms=20']
  const config = await loadConfig({ set: set.map((option) => `recovery.${option}`) })
  expect(recoveryPolicy(config)).toMatchObject({ requestAttempts: 2, requestRetryMinMs: 10, requestRetryMaxMs: 20 })
})
