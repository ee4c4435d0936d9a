import { redisCommands } from '../database/redis-client.ts'
import { findExecutable } from '../process/executable.ts'
import type { ServerSpec } from '../spec.ts'
import type { ComponentOptions } from './component.ts'
import { programsAvailable } from './programs.ts'

/** Redis (or Valkey), in memory unless `appendonly` is set; a restart then keeps the data. */
export function redis(options: ComponentOptions): ServerSpec {
  const program =
    findExecutable('redis-server') === undefined && findExecutable('valkey-server') !== undefined
      ? 'valkey-server'
      : 'redis-server'
  return {
    name: options.name ?? 'redis',
    dependsOn: options.dependsOn ?? [],
    config: { appendonly: true, maxmemory: '0', ...options.config },
    listen: [{ name: 'redis', handover: 'none' }],
    command: ({ port, dataDir, config }) => [
      program,
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--dir',
      dataDir,
      '--daemonize',
      'no',
      '--appendonly',
      config['appendonly'] === true ? 'yes' : 'no',
      '--appendfsync',
      'no',
      '--maxmemory',
      String(config['maxmemory']),
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
