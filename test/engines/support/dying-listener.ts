/**
 * A listener in a process of its own that dies between commit and acknowledgement.
 *
 *   node dying-listener.ts <broker url> <database file> <type of the event after which it dies>
 *
 * The event is in the log when it dies; the broker was not told.
 */
import { SystemClock } from '../../../packages/mainstay/src/core/clock.ts'
import { SystemIds } from '../../../packages/mainstay/src/core/ids.ts'
import { createLogger } from '../../../packages/mainstay/src/core/logging.ts'
import { SqliteEventLog } from '../../../packages/mainstay/src/events/sqlite/log.ts'
import { startListening } from './listening.ts'

const [url = '', path = '', lastType = ''] = process.argv.slice(2)
const clock = new SystemClock()
const logger = createLogger({ format: 'json', destination: { write: (line) => void process.stderr.write(line) } })
const log = await SqliteEventLog.open({ path, clock, ids: new SystemIds(), logger, fsync: 'always' })
startListening({
  url,
  clock,
  logger,
  log,
  bindings: [{ service: 'nova', exchanges: ['nova'], routing_keys: ['notifications.*'] }],
  wrap: (ingest) => ({
    accept: async (events, options) => {
      const accepted = await ingest.accept(events, options)
      if (events.some(({ event_type: type }) => type === lastType)) process.kill(process.pid, 'SIGKILL')
      return accepted
    },
  }),
})
