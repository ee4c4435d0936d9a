import { fileURLToPath } from 'node:url'

import { runProgram } from '@mainstay/testkit'
import { expect, test } from 'vitest'

const STRESS = fileURLToPath(new URL('../../packages/testkit/stress/clusters.ts', import.meta.url))
const WHOLE = process.env['MAINSTAY_TEST_ALL'] === '1'

/** Takes a minute, so everyday runs leave it to the twelve clusters of the kit's own suite. */
test(
  'four workers with fifty clusters each: no clash, no orphan, no folder or lease left',
  { timeout: 600_000 },
  async (ctx) => {
    ctx.skip(!WHOLE, 'takes a minute: npm run test:all')
    const command = [process.execPath, STRESS, '--workers', '4', '--clusters', '50', '--json']
    const { stdout } = await runProgram(command, { timeoutMs: 580_000 })
    expect(JSON.parse(stdout)).toMatchObject({
      clusters: 200,
      clashes: 0,
      orphans: 0,
      leakedFolders: 0,
      leakedLeases: 0,
      failures: 0,
    })
  },
)
