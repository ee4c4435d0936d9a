import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { userInfo } from 'node:os'
import { mysqlSql } from '../database/mysql.ts'
import { findExecutable } from '../process/executable.ts'
import { runProgram } from '../process/run.ts'
import type { ServerSpec } from '../spec.ts'
import type { ComponentOptions } from './component.ts'
import { serverSettings } from './component-config.ts'
import { copyPreparedData } from './prepared-data.ts'
import { programsAvailable } from './programs.ts'

const settings = { 'innodb-buffer-pool-size': '32M', 'max-connections': '100' }
const kept = ['port', 'bind-address', 'datadir', 'socket', 'pid-file', 'user']

/** A private MariaDB with the superuser `root` and no password; `config` has options of `mariadbd`, without the dashes. */
export function mariadb(options: ComponentOptions): ServerSpec {
  const program =
    findExecutable('mariadbd') === undefined && findExecutable('mysqld') !== undefined ? 'mysqld' : 'mariadbd'
  const url = (port: number): string => `mysql://root@127.0.0.1:${port}/`
  const asUser = userInfo().username
  return {
    name: options.name ?? 'mariadb',
    dependsOn: options.dependsOn ?? [],
    config: serverSettings('mariadb', settings, options.config, kept),
    listen: [{ name: 'mariadb', handover: 'none' }],
    startTimeoutMs: 30_000,
    prepare: async ({ dataDir }) => {
      const target = join(dataDir, 'mysql')
      if (existsSync(target)) return
      mkdirSync(target, { mode: 0o700 })
      const { stdout: version } = await runProgram([program, '--no-defaults', '--version'])
      await copyPreparedData('mariadb', [version, asUser], target, async (folder) => {
        await runProgram([
          'mariadb-install-db',
          '--no-defaults',
          `--datadir=${folder}`,
          `--user=${asUser}`,
          '--auth-root-authentication-method=normal',
          '--skip-test-db',
          '--skip-name-resolve',
        ])
      })
    },
    command: ({ port, dataDir, runDir, config }) => [
      // --no-defaults must come first, else the machine's own configuration is read.
      program,
      '--no-defaults',
      `--datadir=${join(dataDir, 'mysql')}`,
      `--port=${port}`,
      '--bind-address=127.0.0.1',
      `--user=${asUser}`,
      `--pid-file=${join(runDir, 'mariadbd.pid')}`,
      `--socket=m.sock`,
      '--skip-log-bin',
      '--skip-name-resolve',
      '--innodb-flush-log-at-trx-commit=0',
      ...Object.entries(config).map(([key, value]) => `--${key}=${String(value)}`),
    ],
    ready: { fn: async ({ ports }) => (await mysqlSql(url(ports['mariadb'] ?? 0), 'select 1 as one')).length === 1 },
    query: async ({ port }, statement, params) => await mysqlSql(url(port), statement, params),
    available: () =>
      programsAvailable([program, 'mariadb-install-db', 'mariadb'], 'mariadb-server', ['--no-defaults', '--version']),
  }
}
