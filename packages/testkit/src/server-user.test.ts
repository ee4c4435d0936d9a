import { lstatSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { homeDir, removeQuietly } from './home.ts'
import { findExecutable } from './process/executable.ts'
import type { ServerSpec } from './spec.ts'
import { script, withCluster } from './testing/fixture-server.ts'

const isRoot = process.getuid?.() === 0
/** Somebody without rights; whoever is not root can run servers as himself alone. */
const user = isRoot ? { uid: 65_534, gid: 65_534 } : { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }

const makeTable = async ({ path }: { path: string }): Promise<void> => {
  const { DatabaseSync } = await import('node:sqlite')
  const database = new DatabaseSync(path)
  database.exec('create table t (name text)')
  database.close()
}
const database = { engine: 'sqlite', template: false, migrate: makeTable } as const
/** Ends with 0 only if all that it tries works. */
const shell = (code: string, over: Partial<ServerSpec>): ServerSpec =>
  script('', { user, launch: 'oneshot', command: ['sh', '-ec', code], ...over })

describe('a server that runs as another user', { timeout: 120_000 }, () => {
  test('reads its configuration and writes its data, logs and database, in each of its starts', async () => {
    const home = join(homeDir('own-tests'), `user-${process.pid}`)
    mkdirSync(home)
    writeFileSync(join(home, 'data'), 'data\n', { mode: 0o600 })
    const server = shell(
      `id -u
       cat '%(etc)s/a.conf' '%(etc)s/sub/b.conf'
       echo more >> '%(dir)s/data/given'
       touch '%(etc)s/x' x '%(logDir)s/x' '%(runDir)s/x' '%(dataDir)s/test.sqlite-journal'
       test -w "$DB" -a -w '%(dataDir)s/made/by-prepare'
       rm '%(dataDir)s/test.sqlite-journal'`,
      {
        files: ['a.conf', 'sub/b.conf'].map((name) => ({ name, content: `${name}\n` })),
        dataFiles: [{ from: join(home, 'data'), to: 'data/given' }],
        database,
        prepare: async ({ dataDir }) => {
          mkdirSync(join(dataDir, 'made'))
          writeFileSync(join(dataDir, 'made', 'by-prepare'), '')
        },
        env: ({ dataDir }) => ({ DB: join(dataDir, 'test.sqlite') }),
      },
    )
    await withCluster([server], async (cluster) => {
      const one = cluster.get('script')
      for (const times of [1, 2]) {
        expect((await one.start()).stdout).toBe(`${user.uid}\na.conf\nsub/b.conf\n`)
        expect(readFileSync(join(one.dir, 'data', 'given'), 'utf8')).toBe(`data\n${'more\n'.repeat(times)}`)
        // Made again by us.
        await cluster.resetDatabase('script')
      }
    })
    removeQuietly(home)
  })

  test('writes a database that it shares, and nothing outside becomes its own', async () => {
    const outside = join(homeDir('own-tests'), `user-outside-${process.pid}`)
    writeFileSync(outside, '')
    const before = statSync(outside).uid
    const write = `touch "$DB-journal"; test -w "$DB"; rm "$DB-journal"`
    const env = ({ dbUrl }: { dbUrl: string }): { DB: string } => ({ DB: dbUrl.replace('sqlite:///', '') })
    const servers = [
      script('', { name: 'owner', database, launch: 'oneshot' }),
      shell(write, { name: 'guest', database: { shareWith: 'owner' }, env }),
      shell(write, {
        name: 'common',
        env,
        prepare: async ({ dataDir }) => symlinkSync(outside, join(dataDir, 'link')),
      }),
    ]
    await withCluster(
      servers,
      async (cluster) => {
        await cluster.startAll()
        const link = join(cluster.get('common').folders.dataDir, 'link')
        expect([lstatSync(link).uid, statSync(outside).uid]).toEqual([user.uid, before])
      },
      { database },
    )
    removeQuietly(outside)
  })

  test.skipIf(findExecutable('perl') === undefined).each([1, 90])(
    'tells by socket that it is ready (a name of %i letters)',
    async (length) => {
      const name = 'n'.repeat(length)
      const send =
        'socket(S, PF_UNIX, SOCK_DGRAM, 0); connect(S, sockaddr_un($ENV{NOTIFY_SOCKET})); send(S, "READY=1", 0); sleep 30'
      const server = script('', { name, user, command: ['perl', '-MSocket', '-e', send], ready: { notify: true } })
      await withCluster([server], async (cluster) => {
        expect(await cluster.start(name)).toMatchObject({ attempts: 1 })
      })
    },
  )
})
