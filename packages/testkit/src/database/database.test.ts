import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test, vi } from 'vitest'
import { Cluster } from '../cluster.ts'
import { homeDir, removeQuietly } from '../home.ts'
import { openDescriptors } from '../process/process-table.ts'
import { runProgram } from '../process/run.ts'
import type { ServerSpec } from '../spec.ts'
import { httpServer, rejection, script, withCluster } from '../testing/fixture-server.ts'
import { resetDatabase } from './cluster-databases.ts'
import type { DatabaseSpec } from './database-spec.ts'
import { templateKey } from './template-cache.ts'
import { namedDatabase, parseDatabaseUrl, sqliteUrl, withDatabase } from './database-url.ts'

const work = join(homeDir('own-tests'), `database-${process.pid}`)
mkdirSync(work, { recursive: true })
afterAll(() => removeQuietly(work))

const counter = fileURLToPath(new URL('../../fixtures/count-migrations.ts', import.meta.url))
const migrations = (file: string): number => (existsSync(file) ? readFileSync(file, 'utf8').split('\n').length - 1 : 0)

/** A migration that counts itself. */
function countingSpec(file: string, more: Partial<DatabaseSpec> = {}): DatabaseSpec {
  return {
    engine: 'sqlite',
    sources: [],
    migrate: [
      'sh',
      '-c',
      `echo migrated >> ${file}; python3 -c "import sqlite3; sqlite3.connect('%(dbPath)s').execute('create table t (name text)')"`,
    ],
    ...more,
  }
}

const oneshot = (database: DatabaseSpec): ServerSpec => script('', { launch: 'oneshot', database })

describe('databases (testkit.md A6)', { timeout: 180_000 }, () => {
  test('H-46 H-47 eight workers migrate once; changed sources migrate again', { timeout: 180_000 }, async () => {
    const env = { ...process.env, COUNT_FILE: join(work, 'count'), SOURCE_FILE: join(work, 'schema.sql') }
    writeFileSync(env.SOURCE_FILE, `version 1 ${process.pid}`)
    const runs = await Promise.all(Array.from({ length: 8 }, () => runProgram([process.execPath, counter], { env })))
    expect(runs.map(({ stdout }) => stdout)).toEqual(Array.from({ length: 8 }, () => '[{"rows":1}]\n'))
    expect(migrations(env.COUNT_FILE)).toBe(1)
    writeFileSync(env.SOURCE_FILE, `version 2 ${process.pid}`)
    await runProgram([process.execPath, counter], { env })
    expect(migrations(env.COUNT_FILE)).toBe(2)
  })

  test('H-47 two migrations that differ only in what they have caught do not share a template', async () => {
    const creating = (table: string): DatabaseSpec => ({
      engine: 'sqlite',
      migrate: async ({ path }) => {
        const { DatabaseSync } = await import('node:sqlite')
        const database = new DatabaseSync(path)
        database.exec(`create table ${table} (n int)`)
        database.close()
      },
    })
    const servers = ['aaa', 'bbb'].map((name) => ({ ...oneshot(creating(name)), name }))
    await withCluster(servers, async (cluster) => {
      for (const name of ['aaa', 'bbb']) {
        await cluster.start(name)
        expect(await cluster.get(name).sql('select name from sqlite_schema')).toEqual([{ name }])
      }
    })
  })

  test('the seed is each copy’s own, comes back with a reset, and is no part of the template', async () => {
    const file = join(work, 'seeded')
    const seeded = (name: string): ServerSpec => ({
      ...httpServer({ name }),
      database: countingSpec(file, {
        seed: async ({ path }) => {
          const { DatabaseSync } = await import('node:sqlite')
          const database = new DatabaseSync(path)
          database.prepare('insert into t values (?)').run(name)
          database.close()
        },
      }),
    })
    await withCluster(['aaa', 'bbb'].map(seeded), async (cluster) => {
      for (const name of ['aaa', 'bbb']) {
        const server = cluster.get(name)
        await server.start()
        expect(await server.sql('select * from t')).toEqual([{ name }])
        await server.sql("insert into t values ('more')")
        await cluster.resetDatabase(name)
        expect(await server.sql('select * from t')).toEqual([{ name }])
        await server.stop()
        await cluster.resetDatabase(name)
        expect(await server.sql('select * from t')).toEqual([{ name }])
      }
      expect(migrations(file)).toBe(1)
    })
  })

  test('H-47 the template’s key: engine, its version, command and sources', () => {
    const source = join(work, 'key.sql')
    writeFileSync(source, 'one')
    const base: DatabaseSpec = { engine: 'sqlite', migrate: ['make', 'it'], sources: [source] }
    const key = templateKey(base, '1')
    expect(templateKey({ ...base }, '1')).toBe(key)
    expect(templateKey(base, '2')).not.toBe(key)
    expect(templateKey({ ...base, engine: 'mysql' }, '1')).not.toBe(key)
    expect(templateKey({ ...base, migrate: ['make it'] }, '1')).not.toBe(key)
    expect(templateKey({ ...base, sources: [] }, '1')).not.toBe(key)
    writeFileSync(source, 'two')
    expect(templateKey(base, '1')).not.toBe(key)
    const folder = join(work, 'package')
    mkdirSync(join(folder, '__pycache__'), { recursive: true })
    writeFileSync(join(folder, 'one.py'), '')
    const ofFolder = templateKey({ ...base, sources: [folder] }, '1')
    writeFileSync(join(folder, '__pycache__', 'one.pyc'), '')
    expect(templateKey({ ...base, sources: [folder] }, '1')).toBe(ofFolder)
    writeFileSync(join(folder, 'two.py'), '')
    expect(templateKey({ ...base, sources: [folder] }, '1')).not.toBe(ofFolder)
    expect(() => templateKey({ ...base, sources: [join(work, 'gone.sql')] }, '1')).toThrow('gone.sql of a migration')
  })

  test('H-46 the template of this SQLite is found by its version', async () => {
    const spec = countingSpec(join(work, 'versioned'))
    await withCluster([oneshot(spec)], (cluster) => cluster.start('script'))
    const key = templateKey(spec, process.versions['sqlite'] ?? 'unknown')
    expect(existsSync(join(homeDir('templates'), `sqlite-${key}`, 'template.sqlite'))).toBe(true)
  })

  test('H-46 rows that a migration left in the write-ahead log are in every copy', async () => {
    const code =
      "import os, sqlite3; c = sqlite3.connect('%(dbPath)s'); c.execute('pragma journal_mode=wal'); " +
      "c.execute('create table t (name text)'); c.execute(\"insert into t values ('late')\"); c.commit(); os._exit(0) # " +
      // A template of this run alone.
      String(process.pid)
    const spec: DatabaseSpec = { engine: 'sqlite', migrate: ['python3', '-c', code], sources: [] }
    for (const template of [{}, { template: false as const }]) {
      await withCluster([oneshot({ ...spec, ...template })], async (cluster) => {
        await cluster.start('script')
        expect(await cluster.get('script').sql('select * from t')).toEqual([{ name: 'late' }])
        const [file] = readdirSync(cluster.get('script').folders.dataDir)
        expect(file).toBe('test.sqlite')
      })
    }
  })

  test('H-48 a failed migration publishes nothing and is tried again', async () => {
    vi.stubEnv('MAINSTAY_TESTKIT_DIR', join(work, 'home'))
    const flag = join(work, 'broken')
    const path = join(work, 'tries')
    writeFileSync(flag, '')
    const spec: DatabaseSpec = {
      engine: 'sqlite',
      migrate: [
        'sh',
        '-c',
        `echo x >> ${path}; test ! -e ${flag} || { echo 'column is missing' >&2; exit 3; }; : > '%(dbPath)s'`,
      ],
    }
    await withCluster([oneshot(spec)], async (cluster) => {
      const error = await rejection(cluster.start('script'))
      expect(error.message).toContain('column is missing')
      expect(readdirSync(homeDir('templates')).filter((name) => name.includes('building'))).toEqual([])
      removeQuietly(flag)
      await cluster.start('script')
      expect(migrations(path)).toBe(2)
    })
  })

  test('H-49 the template can be given, switched off, and must exist', async () => {
    const file = join(work, 'given')
    const { DatabaseSync } = await import('node:sqlite')
    const given = new DatabaseSync(join(work, 'given.sqlite'))
    given.exec("create table t (name text); insert into t values ('given')")
    given.close()
    try {
      vi.stubEnv('MAINSTAY_TEST_DB_TEMPLATE', join(work, 'given.sqlite'))
      await withCluster([oneshot(countingSpec(file))], async (cluster) => {
        await cluster.start('script')
        expect(await cluster.get('script').sql('select * from t')).toEqual([{ name: 'given' }])
      })
      expect(migrations(file)).toBe(0)
      vi.stubEnv('MAINSTAY_TEST_DB_TEMPLATE', 'off')
      for (const round of [1, 2]) {
        await withCluster([oneshot(countingSpec(file))], (cluster) => cluster.start('script'))
        expect(migrations(file)).toBe(round)
      }
      vi.stubEnv('MAINSTAY_TEST_DB_TEMPLATE', '/does/not/exist.sqlite')
      await withCluster([oneshot(countingSpec(file))], async (cluster) => {
        await expect(cluster.start('script')).rejects.toThrow('/does/not/exist.sqlite does not exist')
      })
    } finally {
      vi.unstubAllEnvs()
    }
  })

  test.each(['mysql://root@127.0.0.1/production', 'postgres://root@127.0.0.1/production', 'mariadb://h/testing'])(
    'H-54 a reset of %s is refused before anybody is asked',
    async (url) => {
      expect(await rejection(resetDatabase(url))).toMatchObject({ code: 'TK_DATABASE_REFUSED' })
    },
  )

  describe('what the kit did not make is neither emptied nor removed', () => {
    const customers = async (path: string): Promise<unknown> => {
      const { DatabaseSync } = await import('node:sqlite')
      const database = new DatabaseSync(path)
      try {
        return database.prepare('select name from customers').all()
      } finally {
        database.close()
      }
    }
    const makeCustomers = async (path: string): Promise<void> => {
      const { DatabaseSync } = await import('node:sqlite')
      const database = new DatabaseSync(path)
      database.exec("create table customers (name text); insert into customers values ('ours')")
      database.close()
    }
    const refused = (url: string): Promise<Error & { code?: string }> =>
      withCluster([oneshot(countingSpec(join(work, 'refused'), { url }))], (cluster) =>
        rejection(cluster.start('script')),
      )

    test('H-54 a SQLite file that is not called a test’s is refused, by whatever way it was named', async () => {
      const path = join(work, 'production.sqlite')
      await makeCustomers(path)
      const byEnvironment = (): Promise<Error & { code?: string }> => {
        vi.stubEnv('MAINSTAY_TEST_DATABASE_URL', sqliteUrl(path))
        return refused('sqlite:////nowhere').finally(() => vi.unstubAllEnvs())
      }
      const byOverride = (): Promise<Error & { code?: string }> =>
        withCluster([oneshot(countingSpec(join(work, 'refused')))], (cluster) =>
          rejection(cluster.start('script', { dbUrl: sqliteUrl(path) })),
        )
      for (const attempt of [() => refused(sqliteUrl(path)), byEnvironment, byOverride]) {
        expect(await attempt()).toMatchObject({ code: 'TK_DATABASE_REFUSED' })
        expect(await customers(path)).toEqual([{ name: 'ours' }])
      }
      vi.stubEnv('MAINSTAY_TEST_DB_ALLOW', path)
      try {
        await withCluster([oneshot(countingSpec(join(work, 'allowed'), { url: sqliteUrl(path) }))], async (cluster) => {
          await cluster.start('script')
          expect(await cluster.get('script').sql('select * from t')).toEqual([])
        })
      } finally {
        vi.unstubAllEnvs()
      }
    })

    test('a folder and a file of another kind stay, also under a test’s name', async () => {
      const folder = join(work, 'test_folder')
      mkdirSync(folder)
      writeFileSync(join(folder, 'thesis'), 'my only copy')
      const text = join(work, 'test_notes.txt')
      writeFileSync(text, 'my only copy')
      for (const path of [folder, text])
        expect(await refused(sqliteUrl(path))).toMatchObject({ code: 'TK_DATABASE_REFUSED' })
      expect(readFileSync(join(folder, 'thesis'), 'utf8')).toBe('my only copy')
      expect(readFileSync(text, 'utf8')).toBe('my only copy')
      expect(await refused('sqlite:///test_relative.sqlite')).toMatchObject({ code: 'TK_BAD_SPEC' })
    })

    test('a link out of the cluster’s folder does not make a person’s file the kit’s', async () => {
      const outside = join(work, 'outside')
      mkdirSync(outside)
      await makeCustomers(join(outside, 'production.sqlite'))
      const cluster = await Cluster.create({ keep: 'never' })
      try {
        symlinkSync(outside, join(cluster.dir, 'link'))
        const url = sqliteUrl(join(cluster.dir, 'link', 'production.sqlite'))
        cluster.add(oneshot(countingSpec(join(work, 'refused'), { url })))
        expect(await rejection(cluster.start('script'))).toMatchObject({ code: 'TK_DATABASE_REFUSED' })
        expect(await customers(join(outside, 'production.sqlite'))).toEqual([{ name: 'ours' }])
      } finally {
        await cluster.dispose()
      }
    })

    test('two servers with one URL are told, in one cluster and in two; afterwards it is free again', async () => {
      const url = sqliteUrl(join(work, 'test_shared.sqlite'))
      const database = countingSpec(join(work, 'one-url'), { url })
      const both = ['first', 'second'].map((name) => ({ ...oneshot(database), name }))
      await withCluster(both, async (cluster) => {
        await cluster.start('first')
        await cluster.get('first').sql("insert into t values ('first')")
        const error = await rejection(cluster.start('second'))
        expect(error.code).toBe('TK_BAD_SPEC')
        expect(error.message).toMatch(/server "first" and server "second" .*\{ shareWith: 'first' \}/)
        const elsewhere = await withCluster([oneshot(database)], (other) => rejection(other.start('script')))
        expect(elsewhere.code).toBe('TK_DATABASE_REFUSED')
        expect(elsewhere.message).toContain(`another cluster (pid ${process.pid}) is using it`)
        expect(await cluster.get('first').sql('select * from t')).toEqual([{ name: 'first' }])
      })
      await withCluster([oneshot(database)], (cluster) => cluster.start('script'))
    })

    test.each([
      ['mysql://u:p@localhost/test_a', 'mariadb://127.0.0.1:3306/test_a'],
      ['postgresql://u@h/test_a?x=1', 'postgres://h:5432/test_a'],
      ['sqlite:////tmp/x/../test_a', 'sqlite+pysqlite:////tmp/test_a'],
    ])('%s and %s are one database', (one, other) => {
      expect(namedDatabase(one)).toBe(namedDatabase(other))
    })

    test.each(['postgres://h/', 'postgres://h/postgres', 'mysql://h/mysql', 'redis://h/3'])('%s names none', (url) => {
      expect(namedDatabase(url)).toBeUndefined()
    })
  })

  test('H-55 a failing test keeps its SQLite file, a passing one does not', async () => {
    for (const failed of [true, false]) {
      const cluster = await Cluster.create({ name: 'kept', servers: [oneshot(countingSpec(join(work, 'kept')))] })
      await cluster.start('script')
      const path = join(cluster.get('script').folders.dataDir, 'test.sqlite')
      const { keptDir } = await cluster.dispose({ failed })
      expect(existsSync(path)).toBe(failed)
      expect(keptDir).toBe(failed ? cluster.dir : undefined)
      removeQuietly(cluster.dir)
    }
  })

  test('H-56 sql() sees what the server wrote, and closes its connection', async () => {
    const writer = script(
      "new (require('node:sqlite').DatabaseSync)(process.env.DB).exec(\"insert into t values ('from the server')\")",
      {
        launch: 'oneshot',
        database: countingSpec(join(work, 'writer')),
        env: ({ dbUrl }) => ({ DB: parseDatabaseUrl(dbUrl).database }),
      },
    )
    const cluster = await Cluster.create({ keep: 'never', servers: [writer] })
    await cluster.start('script')
    const rows = await cluster.get('script').sql('select name from t where name like ?', ['from%'])
    expect(rows).toEqual([{ name: 'from the server' }])
    const path = join(cluster.get('script').folders.dataDir, 'test.sqlite')
    // A descriptor of a removed file has ` (deleted)` behind its name.
    const open = (): boolean => openDescriptors(process.pid).some(({ target }) => target.startsWith(path))
    expect(open()).toBe(true)
    await cluster.dispose()
    expect(open()).toBe(false)
  })

  test('H-57 a shared database is made once: the second server finds the first one’s rows', async () => {
    const first = { ...oneshot(countingSpec(join(work, 'shared'))), name: 'first' }
    const second = script('', {
      name: 'second',
      launch: 'oneshot',
      database: { shareWith: 'first' },
      dependsOn: ['first'],
    })
    await withCluster([first, second], async (cluster) => {
      await cluster.start('first')
      await cluster.get('first').sql("insert into t values ('first')")
      await cluster.start('second')
      expect(await cluster.get('second').sql('select * from t')).toEqual([{ name: 'first' }])
      expect(cluster.get('second').dbUrl).toBe(cluster.get('first').dbUrl)
      await cluster.start('first')
      expect(await cluster.get('second').sql('select * from t')).toHaveLength(1)
      await cluster.resetDatabase('first')
      expect(await cluster.get('second').sql('select * from t')).toEqual([])
    })
  })

  test('a running server’s SQLite database loses its rows and keeps its file', async () => {
    await withCluster([httpServer({ database: countingSpec(join(work, 'live')) })], async (cluster) => {
      const api = cluster.get('api')
      await api.start()
      await api.sql("insert into t values ('x')")
      await cluster.resetDatabase('api')
      expect(await api.sql('select count(*) as n from t')).toEqual([{ n: 0 }])
    })
  })

  test.each([
    [
      'mysql://root@h/db',
      { scheme: 'mysql', user: 'root', password: undefined, host: 'h', port: undefined, database: 'db' },
    ],
    ['mysql+pymysql://root:@h:3307/db', { scheme: 'mysql', password: '', port: 3307 }],
    ['mysql://u:p%40ss@h/db', { password: 'p@ss' }],
    [
      'postgresql://u@[::1]:5433/test_a?host=/run',
      { scheme: 'postgres', host: '::1', port: 5433, query: { host: '/run' } },
    ],
    ['sqlite:////tmp/a%20b.sqlite', { scheme: 'sqlite', database: '/tmp/a b.sqlite' }],
    ['redis://127.0.0.1:80/3', { port: 80, database: '3' }],
  ])('the URL %s is understood', (url, parts) => {
    expect(parseDatabaseUrl(url)).toMatchObject(parts)
  })

  test('another database of the same server keeps everything else of the URL', () => {
    expect(withDatabase('mysql://u:p%40ss@h:1/db?x=1', 't_1')).toBe('mysql://u:p%40ss@h:1/t_1?x=1')
    expect(() => parseDatabaseUrl('oracle://h/db')).toThrow('the scheme "oracle" are not known')
  })
})
