import { SystemIds } from '../../core/ids.ts'
import { eventLogConformance } from '../log-conformance.ts'
import { MemoryHistory } from './history.ts'
import { MemoryEventLog } from './log.ts'

eventLogConformance('memory', { shared: true, durable: false }, async () => {
  const history = new MemoryHistory(new SystemIds())
  return {
    open: async (options) => new MemoryEventLog({ history, ...options }),
    wipe: async () => history.wipe(),
    [Symbol.asyncDispose]: async () => {},
  }
})
