import { redisCommands } from '../database/redis-client.ts'
import { findExecutable } from '../process/executable.ts'
import type { ServerSpec } from '../spec.ts'
import type { ComponentOptions } from './component.ts'
import { serverSettings } from './component-config.ts'
import { programsAvailable } from './programs.ts'

/** Data is not synced to disk: a power cut may lose it, a crash of the server alone does not. */
const settings = { save: '', appendonly: true, appendfsync: 'no', maxmemory: '0' }
/** The kit itself asks without a password. */
const kept = ['port', 'bind', 'dir', 'daemonize', 'requirepass']

/** Redis (or Valkey), whose data a restart keeps unless `appendonly` is false; `config` has settings of its `redis.conf`. */
export function redis(options: ComponentOptions): ServerSpec {
  const program =
    findExecutable('redis-server') === undefined && findExecutable('valkey-server') !== undefined
      ? 'valkey-server'
      : 'redis-server'
  return {
    name: options.name ?? 'redis',
    dependsOn: options.dependsOn ?? [],
    config: serverSettings('redis', settings, options.config, kept),
    listen: [{ name: 'redis', handover: 'none' }],
    command: ({ port, dataDir, config }) => [
      program,
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--dir',
      dataDir,
      '--daemonize',
      'no',
      ...Object.entries(config).flatMap(([key, value]) => [
        `--${key}`,
        typeof value === 'boolean' ? (value ? 'yes' : 'no') : String(value),
      ]),
    ],
    ready: {
      fn: async ({ ports }) => {
        const [reply] = await redisCommands({ host: '127.0.0.1', port: ports['redis'] ?? 0 }, [['PING']], 1000)
        return reply === 'PONG'
      },
    },
    query: async ({ port }, statement, params) => {
      const [value] = await redisCommands({ host: '127.0.0.1', port }, [
        [...statement.trim().split(/\s+/), ...params.map(String)],
      ])
      return [{ value }]
    },
    available: () => programsAvailable([program], 'redis-server'),
  }
}
