import type * as port from '../store.ts'
import * as leading from '../transitions/lead.ts'
import type { Turns } from './turns.ts'

/** Rules, the mark of the start, and who leads. */
export function configurationOf(
  turns: Turns,
): Pick<
  port.PoolStore,
  'configure' | 'configuration' | 'markServerStart' | 'serverStartedAt' | 'lead' | 'resign' | 'reindex'
> {
  return {
    async configure(configuration, by) {
      await turns.run(0, (turn) => leading.configure(turn, configuration, by))
      await turns.reindexAll()
    },

    async configuration() {
      return (await turns.reads.settings()).configuration
    },

    async markServerStart(input) {
      await turns.run(input.now, (turn) => leading.markServerStart(turn, input))
      await turns.reindexAll()
    },

    async serverStartedAt() {
      return (await turns.reads.settings()).serverStartedAt || null
    },

    async lead(input) {
      const { changes: _none, ...leadership } = await turns.run(input.now, (turn) => leading.lead(turn, input))
      return leadership
    },

    async resign(input) {
      await turns.run(input.now, (turn) => leading.resign(turn, input))
    },

    async reindex() {
      await turns.reindexAll()
      const counts = await turns.reads.stateCounts()
      return { vms: [...counts.values()].flatMap((states) => Object.values(states)).reduce((a, b) => a + b, 0) }
    },
  }
}
