import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { homeDir, removeQuietly } from '../home.ts'
import type { ServerSpec } from '../spec.ts'
import { rejection, script, withCluster } from '../testing/fixture-server.ts'
import { patientMs } from '../testing/patience.ts'
import type { DatabaseSpec } from './database-spec.ts'
import { migrate, seed } from './migrate.ts'

const work = join(homeDir('own-tests'), `migrate-${process.pid}`)
mkdirSync(work, { recursive: true })
afterAll(() => removeQuietly(work))

const oneshot = (database: DatabaseSpec): ServerSpec => script('', { launch: 'oneshot', database })

describe('migrations (testkit.md A6)', { timeout: 180_000 }, () => {
  test('H-47 a command that does not say what it reads is never answered from the cache: its script may have changed', async () => {
    const migration = join(work, 'migration.py')
    const database: DatabaseSpec = { engine: 'sqlite', migrate: ['python3', migration, '%(dbPath)s'] }
    for (const name of ['before', 'after']) {
      writeFileSync(
        migration,
        `import sqlite3, sys\nsqlite3.connect(sys.argv[1]).execute('create table ${name} (n int)')\n`,
      )
      await withCluster([oneshot(database)], async (cluster) => {
        await cluster.start('script')
        expect(await cluster.get('script').sql('select name from sqlite_schema')).toEqual([{ name }])
      })
    }
  })

  test('a command finds the URL in its environment, where not everybody can read it', async () => {
    const told = join(work, 'told')
    const migrate = ['sh', '-c', `printf %s "$DATABASE_URL" > ${told}; : > '%(dbPath)s'`]
    await withCluster([oneshot({ engine: 'sqlite', migrate })], async (cluster) => {
      await cluster.start('script')
      expect(readFileSync(told, 'utf8')).toBe(cluster.get('script').dbUrl)
    })
  })

  test('what the user has told libpq of other servers is not told to a migration: it would overrule the address', async () => {
    vi.stubEnv('PGSERVICE', 'production')
    vi.stubEnv('PGHOSTADDR', '192.0.2.1')
    onTestFinished(() => void vi.unstubAllEnvs())
    const told = join(work, 'libpq')
    const command = ['sh', '-c', `echo "$PGHOST \${PGSERVICE-none} \${PGHOSTADDR-none}" > ${told}`]
    await migrate({ engine: 'postgres', migrate: command }, { url: 'postgres://u@127.0.0.7:1/d', path: '', dir: work })
    expect(readFileSync(told, 'utf8')).toBe('127.0.0.7 none none\n')
  })

  test('no password is in the error of a migration or a seed, nor in its cause', async () => {
    const url = 'redis://u:pass%2Fword@127.0.0.1/'
    const context = { url, path: '', dir: work }
    const failing = async (): Promise<void> => {
      throw new Error('refused', { cause: new Error(`login with pass/word at ${url}`) })
    }
    const told = ['sh', '-c', 'echo "no login with pass/word at $DATABASE_URL"; exit 3', 'sh', '%(dbUrl)s']
    const failures = [
      () => migrate({ engine: 'redis', migrate: told }, context),
      () => migrate({ engine: 'redis', migrate: failing }, context),
      () => seed({ engine: 'redis', migrate: [], seed: failing }, context),
    ]
    for (const fails of failures) {
      const text = inspect(await rejection(fails()))
      expect(text).toContain('TK_DATABASE_FAILED')
      expect(text).not.toMatch(/pass.{1,3}word/)
    }
    expect(inspect(await rejection(migrate({ engine: 'redis', migrate: told }, context)))).toContain(
      'no login with ***',
    )
    const plain = new Error('table is there already')
    const harmless = migrate({ engine: 'redis', migrate: () => Promise.reject(plain) }, context)
    expect((await rejection(harmless)).cause).toBe(plain)
  })

  test('D2 a reset whose migration hangs ends with an error', async () => {
    let calls = 0
    const database: DatabaseSpec = {
      engine: 'sqlite',
      migrate: ['touch', '%(dbPath)s'],
      seed: () => (++calls === 1 ? Promise.resolve() : new Promise(() => undefined)),
    }
    await withCluster([{ ...oneshot(database), prepareTimeoutMs: 200 }], async (cluster) => {
      await cluster.start('script', {}, { timeoutMs: patientMs })
      const error = await rejection(cluster.resetDatabase('script'))
      expect(error).toMatchObject({ code: 'TK_DATABASE_FAILED' })
      expect(error.message).toContain('"script" was not reset within 200 ms')
    })
  })
})
