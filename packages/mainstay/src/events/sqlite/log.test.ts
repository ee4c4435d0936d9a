import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { SystemIds } from '../../core/ids.ts'
import { silentLogger } from '../../core/logging.ts'
import { eventLogConformance } from '../log-conformance.ts'
import { SqliteEventLog } from './log.ts'

eventLogConformance('SQLite', { shared: false, durable: true }, async () => {
  const directory = await mkdtemp(join(tmpdir(), 'mainstay-events-'))
  return {
    open: async (options) =>
      await SqliteEventLog.open({
        path: join(directory, 'events.db'),
        ids: new SystemIds(),
        logger: silentLogger(),
        ...options,
      }),
    wipe: async () => await rm(join(directory, 'events.db')),
    [Symbol.asyncDispose]: async () => await rm(directory, { recursive: true }),
  }
})
