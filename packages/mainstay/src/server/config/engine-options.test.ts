import { expect, test } from 'vitest'

import { engineOptions } from './engine-options.ts'
import { loadConfig } from './load.ts'

test('the engine may take as long to stop as every part of the program', async () => {
  expect(engineOptions(await loadConfig({}))).toMatchObject({ stopTimeoutMs: 5000 })
  const config = await loadConfig({ set: ['server.shutdown_grace_ms=1234'] })
  expect(engineOptions(config)).toMatchObject({ stopTimeoutMs: 617 })
})

test('how the engine works is chosen', async () => {
  const set = ['lease_ms=600', 'poll_ms=70', 'max_concurrent=8'].map((option) => `journal.${option}`)
  const config = await loadConfig({ set })
  expect(engineOptions(config)).toMatchObject({ leaseMs: 600, pollMs: 70, maxConcurrent: 8 })
})
