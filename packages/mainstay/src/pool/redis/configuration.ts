import { toJson } from '../../core/json.ts'
import { DEFAULT_GROUP_RULES } from '../options.ts'
import { parseSeconds } from '../seconds.ts'
import type * as port from '../store.ts'
import type { PoolRunner } from './runner.ts'

/** Rules, the mark of the start, and who leads. */
export function configurationOf(
  runner: PoolRunner,
): Pick<port.PoolStore, 'configure' | 'configuration' | 'markServerStart' | 'serverStartedAt' | 'lead' | 'resign'> {
  return {
    async configure({ pool, groups }, { fence }) {
      const input = {
        fence,
        pool: toJson(pool),
        default: toJson(DEFAULT_GROUP_RULES),
        groups: groups.map((group) => ({ id: group.id, json: toJson(group) })),
      }
      await runner.run('configure', 0, input, { fence })
      await runner.configuration()
      await runner.reindexAll(0)
    },

    configuration: async () => await runner.configuration(),

    async markServerStart({ now, fence }) {
      await runner.run('configure', now, { fence, started: true }, { fence })
      await runner.reindexAll(now)
    },

    async serverStartedAt() {
      const reply = await runner.connection.ask([
        'HGET',
        `${runner.prefix}server_info:hset::`,
        'server_start_timestamp',
      ])
      return parseSeconds(typeof reply === 'string' ? reply : null)
    },

    async lead({ now, id, leaseMs }) {
      const { result } = await runner.run('lead', now, { id, leaseMs, resign: false })
      return result as unknown as port.Leadership
    },

    async resign({ now, id }) {
      await runner.run('lead', now, { id, resign: true })
    },
  }
}
