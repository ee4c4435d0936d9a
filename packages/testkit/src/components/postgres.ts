import { chmodSync, chownSync, existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { userInfo } from 'node:os'
import { TestkitError } from '../errors.ts'
import { postgresSql } from '../database/psql.ts'
import { runProgram } from '../process/run.ts'
import type { ServerSpec } from '../spec.ts'
import type { ComponentOptions } from './component.ts'
import { serverSettings } from './component-config.ts'
import { copyPreparedData } from './prepared-data.ts'
import { postgresBin, programsAvailable, unprivilegedUser } from './programs.ts'

/** Data is not synced to disk: a power cut may lose it, a crash of the server alone does not. */
const settings = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '100' }

const kept = ['port', 'listen-addresses', 'data-directory', 'unix-socket-directories']

/** A private PostgreSQL with the superuser `postgres` and no password; `config` has settings of its `postgresql.conf`. */
export function postgres(options: ComponentOptions): ServerSpec {
  const bin = postgresBin() ?? '/usr/lib/postgresql/bin'
  const run = dropRights()
  const url = (port: number): string => `postgres://postgres@127.0.0.1:${port}/postgres`
  return {
    name: options.name ?? 'postgres',
    dependsOn: options.dependsOn ?? [],
    config: serverSettings('postgres', settings, options.config, kept),
    listen: [{ name: 'postgres', handover: 'none' }],
    prepare: async ({ dataDir, runDir }) => {
      const user = await unprivilegedUser('postgres')
      const target = join(dataDir, 'pg')
      if (existsSync(target)) return
      mkdirSync(target, { mode: 0o700 })
      const { stdout: version } = await runProgram([join(bin, 'postgres'), '--version'])
      await copyPreparedData('pgdata', [version, String(user?.uid)], target, (folder) => initialise(bin, folder, user))
      chmodSync(target, 0o700)
      if (user !== undefined) for (const path of [target, runDir]) chownSync(path, user.uid, user.gid)
    },
    command: ({ port, dataDir, runDir, config }) => [
      ...run,
      join(bin, 'postgres'),
      '-D',
      join(dataDir, 'pg'),
      '-p',
      String(port),
      '-h',
      '127.0.0.1',
      '-k',
      runDir,
      ...Object.entries(config).flatMap(([key, value]) => ['-c', `${key}=${String(value)}`]),
    ],
    ready: {
      fn: async ({ ports }) => (await postgresSql(url(ports['postgres'] ?? 0), 'select 1 as one')).length === 1,
    },
    query: async ({ port }, statement, params) => await postgresSql(url(port), statement, params),
    // SIGINT is its fast shutdown; SIGTERM would wait for clients to leave.
    stop: { signal: 'SIGINT' },
    available: async () =>
      postgresBin() === undefined
        ? { ok: false, why: 'postgres not found: apt-get install postgresql' }
        : await programsAvailable(
            [join(bin, 'postgres'), 'psql', 'setpriv'],
            'postgresql postgresql-client util-linux',
          ),
  }
}

/** PostgreSQL refuses root: a program that changes the user and becomes the server. */
function dropRights(): string[] {
  return userInfo().uid === 0 ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups', '--'] : []
}

async function initialise(bin: string, folder: string, user: { uid: number; gid: number } | undefined): Promise<void> {
  if (user !== undefined) chownSync(folder, user.uid, user.gid)
  const command = [
    join(bin, 'initdb'),
    '-D',
    folder,
    '-U',
    'postgres',
    '-A',
    'trust',
    '--no-sync',
    '--locale=C.UTF-8',
    '-E',
    'UTF8',
  ]
  await runProgram(command, { cwd: '/', timeoutMs: 60_000, ...(user === undefined ? {} : { user }) })
  if (!existsSync(join(folder, 'PG_VERSION')))
    throw new TestkitError('TK_DATABASE_FAILED', 'initdb made no data directory')
}
