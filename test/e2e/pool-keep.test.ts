import { expect, test } from 'vitest'

import { labelOptions } from '../../packages/mainstay/src/pool/testing/counts.ts'
import { servePool } from '../../packages/mainstay/src/pool/testing/served-pool.ts'
import { startMainstay } from '../support/mainstay-process.ts'

test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
  'C5 acquire --keep gives its machines back on %s',
  async (signal) => {
    await using pool = await servePool({
      groups: [{ id: 'g', maxTotal: 2 }],
      labels: [labelOptions({ label: 'g', minReady: 1 })],
      everybodyIsAdmin: true,
    })
    await using command = await startMainstay(['pool', 'acquire', '--count', '2', '--wait', '20s', '--keep'], {
      MAINSTAY_ENDPOINT: pool.url,
    })
    await command.untilPrinted(/vm-g-\w+[^]*vm-g-\w+/)
    command.signal(signal)
    const { code, stderr } = await command.ended()
    expect([code, stderr.match(/^mainstay: gave vm-g-\w+ back$/gm)?.length]).toEqual([0, 2])
    expect((await pool.store.list({ states: ['in_use'], limit: 9 })).vms).toEqual([])
  },
  90_000,
)
