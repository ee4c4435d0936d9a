import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, test, vi } from 'vitest'
import { Cluster, resetDatabase, runProgram, type DatabaseSpec, type ServerSpec } from '@mainstay/testkit'
import { skipUnlessThere } from './support/component-there.ts'

const leftovers = fileURLToPath(new URL('../../packages/testkit/fixtures/leftovers.ts', import.meta.url))

async function withCluster<T>(work: (cluster: Cluster) => Promise<T>): Promise<T> {
  const cluster = await Cluster.create({ name: 'databases' })
  try {
    return await work(cluster)
  } finally {
    await cluster.dispose()
  }
}

const oneshot = (name: string, database: DatabaseSpec, dependsOn: readonly string[] = []): ServerSpec => ({
  name,
  command: ['true'],
  launch: 'oneshot',
  database,
  dependsOn,
})

/** Where to connect is in its environment. */
const postgresMigration = ['psql', '-q', '-c', "create table t (name text); insert into t values ('seed')"]
const ownDatabases = "select datname as name from pg_database where datname like 't!_%' escape '!'"

describe('databases on real servers (testkit.md A6)', { timeout: 180_000 }, () => {
  test('a service that the user has told libpq of overrules no address', async (ctx) => {
    await skipUnlessThere(ctx, 'postgres')
    vi.stubEnv('PGSERVICE', 'production')
    ctx.onTestFinished(() => void vi.unstubAllEnvs())
    await withCluster(async (cluster) => {
      const postgres = cluster.component('postgres')
      await postgres.start()
      const url = `postgres://postgres@127.0.0.1:${postgres.port}/`
      cluster.add(oneshot('one', { engine: 'postgres', url, migrate: postgresMigration }, ['postgres']))
      await cluster.start('one')
      expect(await cluster.get('one').sql('select name from t')).toEqual([{ name: 'seed' }])
    })
  })

  test('H-50 H-52 PostgreSQL: every test gets a copy of the template; a connected client does not keep it from being reset', async (ctx) => {
    await skipUnlessThere(ctx, 'postgres')
    await withCluster(async (cluster) => {
      const postgres = cluster.component('postgres')
      await postgres.start()
      const url = `postgres://postgres@127.0.0.1:${postgres.port}/`
      const spec: DatabaseSpec = { engine: 'postgres', url, migrate: postgresMigration, sources: [] }
      cluster.add(oneshot('one', spec, ['postgres']))
      cluster.add(oneshot('two', spec, ['postgres']))
      await cluster.start('one')
      const [template] = await postgres.sql(
        "select datname as name from pg_database where datname like 'tpl!_%' escape '!'",
      )
      // Somebody sits in the template, and in the database that is reset.
      const sitting = connectedClient(`${url}${String(template?.['name'])}`)
      const inOne = connectedClient(cluster.get('one').dbUrl)
      await Promise.all([sitting.connected, inOne.connected])
      await cluster.start('two')
      expect(cluster.get('two').dbUrl).not.toBe(cluster.get('one').dbUrl)
      for (const name of ['one', 'two'])
        expect(await cluster.get(name).sql('select name from t')).toEqual([{ name: 'seed' }])
      await cluster.get('one').sql("insert into t values ('more')")
      await cluster.resetDatabase('one')
      expect(await cluster.get('one').sql('select name from t')).toEqual([{ name: 'seed' }])
      const templates = await postgres.sql(
        "select count(*) as n from pg_database where datname like 'tpl!_%' escape '!'",
      )
      expect(templates).toEqual([{ n: 1 }])
      await Promise.all([sitting.ended, inOne.ended])
    })
  })

  test('H-48 PostgreSQL: a failed migration publishes no template and leaves nothing behind', async (ctx) => {
    await skipUnlessThere(ctx, 'postgres')
    await withCluster(async (cluster) => {
      const postgres = cluster.component('postgres')
      await postgres.start()
      const engine = 'postgres'
      const url = `postgres://postgres@127.0.0.1:${postgres.port}/`
      const migrate = ['psql', '-q', '-v', 'ON_ERROR_STOP=1', '-c', 'create nonsense']
      const seed = (): Promise<void> => Promise.reject(new Error('no seed'))
      cluster.add(oneshot('cached', { engine, url, migrate, sources: [] }, ['postgres']))
      cluster.add(oneshot('uncached', { engine, url, migrate }, ['postgres']))
      cluster.add(oneshot('seeded', { engine, url, migrate: postgresMigration, seed }, ['postgres']))
      await expect(cluster.start('cached')).rejects.toThrow('syntax error')
      await expect(cluster.start('uncached')).rejects.toThrow('syntax error')
      await expect(cluster.start('seeded')).rejects.toThrow('no seed')
      expect(await postgres.sql("select datname from pg_database where datname like 'tpl%'")).toEqual([])
      expect(await postgres.sql(ownDatabases)).toEqual([])
    })
  })

  test('PostgreSQL: the templates that were not used for longest go, somebody else’s stay', async (ctx) => {
    await skipUnlessThere(ctx, 'postgres')
    await withCluster(async (cluster) => {
      const postgres = cluster.component('postgres')
      await postgres.start()
      const url = `postgres://postgres@127.0.0.1:${postgres.port}/`
      await postgres.sql('create database tpl_not_ours')
      for (const year of [2003, 2001, 2005, 2002, 2004]) {
        await postgres.sql(`create database tpl_${year}`)
        await postgres.sql(
          `comment on database tpl_${year} is 'made by @mainstay/testkit, last used ${year}-01-01T00:00:00.000Z'`,
        )
      }
      cluster.add(oneshot('one', { engine: 'postgres', url, migrate: postgresMigration, sources: [] }, ['postgres']))
      await cluster.start('one')
      const left = await postgres.sql("select datname as name from pg_database where datname like 'tpl!_%' escape '!'")
      expect(left).toHaveLength(6)
      const names = left.map(({ name }) => name)
      expect(names).toEqual(expect.arrayContaining(['tpl_not_ours', 'tpl_2005', 'tpl_2004', 'tpl_2003', 'tpl_2002']))
    })
  })

  test('H-51 H-52 MariaDB: passwords of every kind reset, none is seen in the process list', async (ctx) => {
    await skipUnlessThere(ctx, 'mariadb')
    await withCluster(async (cluster) => {
      const mariadb = cluster.component('mariadb')
      await mariadb.start()
      // Of its own for each run: the same test may run beside this one.
      const password = `p@ss${randomUUID()}`
      for (const user of [`plain identified by '${password}'`, "blank identified by ''"]) {
        await mariadb.sql(`create user ${user}; grant all on *.* to ${user.split(' ')[0]}`)
      }
      const where = `127.0.0.1:${mariadb.port}`
      const seen = watchProcessList(password)
      for (const credentials of ['root', 'blank:', `plain:${encodeURIComponent(password)}`]) {
        const url = `mysql://${credentials}@${where}/test_reset`
        await resetDatabase(url)
        await mariadb.sql('create table test_reset.t (id int)')
        await resetDatabase(url)
        expect(
          await mariadb.sql("select count(*) as n from information_schema.tables where table_schema = 'test_reset'"),
        ).toEqual([{ n: '0' }])
      }
      const spec: DatabaseSpec = {
        engine: 'mysql',
        url: `mysql://plain:${encodeURIComponent(password)}@${where}/`,
        sources: [],
        migrate: async ({ url }) => {
          const database = url.slice(url.lastIndexOf('/') + 1)
          await mariadb.sql(`create table ${database}.t (name text); insert into ${database}.t values ('seed')`)
        },
      }
      for (const name of ['one', 'two']) {
        cluster.add(oneshot(name, spec, ['mariadb']))
        await cluster.start(name)
        expect(await cluster.get(name).sql('select name from t')).toEqual([{ name: 'seed' }])
      }
      expect(seen.stop()).toEqual([])
      const broken: DatabaseSpec = { engine: 'mysql', url: `mysql://root@${where}/`, migrate: ['false'] }
      cluster.add(oneshot('cached', { ...broken, sources: [] }, ['mariadb']))
      cluster.add(oneshot('uncached', broken, ['mariadb']))
      for (const name of ['cached', 'uncached'])
        await expect(cluster.start(name)).rejects.toThrow('the migration failed')
      const own = "select schema_name as name from information_schema.schemata where schema_name like 't!_%' escape '!'"
      expect((await mariadb.sql(own)).map(({ name }) => `/${String(name)}`).toSorted()).toEqual(
        ['one', 'two'].map((name) => new URL(cluster.get(name).dbUrl).pathname).toSorted(),
      )
    })
  })

  test('H-53 Redis: emptying a leased number leaves the others alone', async (ctx) => {
    await skipUnlessThere(ctx, 'redis')
    await withCluster(async (cluster) => {
      const redis = cluster.component('redis')
      await redis.start()
      await redis.sql('SET everybody here')
      const spec: DatabaseSpec = {
        engine: 'redis',
        url: `redis://127.0.0.1:${redis.port}`,
        migrate: async () => undefined,
      }
      const broken: DatabaseSpec = { ...spec, migrate: () => Promise.reject(new Error('no migration')) }
      cluster.add(oneshot('broken', broken, ['redis']))
      for (let tries = 0; tries < 3; tries++) await expect(cluster.start('broken')).rejects.toThrow('no migration')
      for (const name of ['one', 'two']) {
        cluster.add(oneshot(name, spec, ['redis']))
        await cluster.start(name)
        await cluster.get(name).sql('SET own', [name])
      }
      // The failed starts have given their number back.
      expect(cluster.get('one').dbUrl).toBe(`redis://127.0.0.1:${redis.port}/1`)
      expect(cluster.get('one').dbUrl).not.toBe(cluster.get('two').dbUrl)
      await cluster.resetDatabase('one')
      expect(await cluster.get('one').sql('GET own')).toEqual([{ value: null }])
      expect(await cluster.get('two').sql('GET own')).toEqual([{ value: 'two' }])
      expect(await redis.sql('GET everybody')).toEqual([{ value: 'here' }])
    })
  })

  test('Redis: a number that holds somebody’s data is passed over, one that a killed test left behind is not', async (ctx) => {
    await skipUnlessThere(ctx, 'redis')
    await withCluster(async (outer) => {
      const redis = outer.component('redis')
      await redis.start()
      const url = `redis://127.0.0.1:${redis.port}`
      const one = oneshot('one', { engine: 'redis', url, migrate: async () => undefined })
      const numberOf = async (work: (cluster: Cluster) => Promise<unknown>): Promise<string | undefined> =>
        await withCluster(async (cluster) => {
          cluster.add(one)
          await cluster.start('one')
          await work(cluster)
          return cluster.get('one').dbUrl.split('/').at(-1)
        })
      const ask = (number: string, ...command: string[]): Promise<{ stdout: string }> =>
        runProgram(['redis-cli', '-p', String(redis.port), '-n', number, ...command])
      await ask('1', 'SET', 'customers', 'ours')
      expect(await numberOf(async () => undefined)).toBe('2')
      expect((await ask('1', 'GET', 'customers')).stdout).toBe('ours\n')
      // What the kit has filled and could not empty again is its own.
      let mark = ''
      await numberOf(async ({ dir }) => {
        mark = join(dir, '../../redis', `127.0.0.1-${redis.port}-2.used`)
        expect(existsSync(mark)).toBe(true)
      })
      expect(existsSync(mark)).toBe(false)
      await ask('2', 'SET', 'left', 'behind')
      expect(await numberOf(async () => undefined)).toBe('3')
      const [, run = ''] = /^run_id:(\w+)/m.exec((await ask('0', 'INFO', 'server')).stdout) ?? []
      writeFileSync(mark, run)
      expect(await numberOf(async () => undefined)).toBe('2')
      expect((await ask('2', 'DBSIZE')).stdout).toBe('0\n')
    })
  })

  test('a database on a server that outlives the cluster is dropped by the clean-up', async (ctx) => {
    await skipUnlessThere(ctx, 'postgres')
    await withCluster(async (outer) => {
      const postgres = outer.component('postgres')
      await postgres.start()
      const secret = randomUUID()
      const url = `postgres://postgres:${secret}@127.0.0.1:${postgres.port}/`
      const seen = watchProcessList(secret)
      const inner = await Cluster.create({
        servers: [oneshot('one', { engine: 'postgres', url, migrate: postgresMigration })],
      })
      await inner.start('one')
      expect(await postgres.sql(ownDatabases)).toHaveLength(1)
      await inner.dispose()
      expect(await postgres.sql(ownDatabases)).toEqual([])
      expect(seen.stop()).toEqual([])
    })
  })

  test('H-63 a test process that is killed in the middle of a migration leaves no half made database', async (ctx) => {
    await skipUnlessThere(ctx, 'postgres')
    await withCluster(async (cluster) => {
      const postgres = cluster.component('postgres')
      await postgres.start()
      const url = `postgres://postgres@127.0.0.1:${postgres.port}/`
      const child = spawn(process.execPath, [leftovers, 'half made databases'], {
        stdio: ['pipe', 'pipe', 'inherit'],
        env: { ...process.env, DB_URL: url },
      })
      try {
        for await (const _told of createInterface({ input: child.stdout })) break
        expect(await postgres.sql(ownDatabases)).toHaveLength(2)
      } finally {
        child.kill('SIGKILL')
      }
      await vi.waitFor(async () => expect(await postgres.sql(ownDatabases)).toEqual([]), { timeout: 30_000 })
    })
  })

  test('a named database is one server’s at a time, and free again after a clean-up that could not drop it', async (ctx) => {
    await skipUnlessThere(ctx, 'postgres')
    await withCluster(async (outer) => {
      const postgres = outer.component('postgres')
      await postgres.start()
      const spec: DatabaseSpec = {
        engine: 'postgres',
        url: `postgres://postgres@127.0.0.1:${postgres.port}/test_named`,
        migrate: postgresMigration,
      }
      const inner = await Cluster.create({ keep: 'never', servers: [oneshot('one', spec), oneshot('two', spec)] })
      await inner.start('one')
      await inner.get('one').sql("insert into t values ('more')")
      await expect(inner.start('two')).rejects.toThrow('were given the same database')
      expect(await inner.get('one').sql('select count(*) as n from t')).toEqual([{ n: 2 }])
      await postgres.stop()
      await expect(inner.dispose()).rejects.toThrow('databases could not be dropped')
      await postgres.restart()
      const later = await Cluster.create({ keep: 'never', servers: [oneshot('one', spec)] })
      await later.start('one')
      expect(await later.get('one').sql('select count(*) as n from t')).toEqual([{ n: 1 }])
      await later.dispose()
      expect(await postgres.sql("select datname from pg_database where datname = 'test_named'")).toEqual([])
    })
  })
})

/** A client that only sits there until the server throws it out. */
function connectedClient(url: string): { connected: Promise<void>; ended: Promise<unknown> } {
  const name = `sitting-${Math.random().toString(36).slice(2)}`
  const ended = runProgram(['psql', `${url}?application_name=${name}`, '-c', 'select pg_sleep(60)'], {
    expectExitCode: 'any',
  })
  const connected = vi.waitFor(
    async () => {
      const { stdout } = await runProgram([
        'psql',
        '-At',
        url.replace(/\/[^/]*$/, '/postgres'),
        '-c',
        `select count(*) from pg_stat_activity where application_name = '${name}'`,
      ])
      expect(stdout.trim()).toBe('1')
    },
    { timeout: 5000 },
  )
  return { connected, ended }
}

/** Looks at every command line again and again for a text that must not be there. */
function watchProcessList(secret: string): { stop(): string[] } {
  const found: string[] = []
  const look = (): void => {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      const line = commandLine(pid)
      if (line.includes(secret)) found.push(line)
    }
  }
  const timer = setInterval(look, 5)
  return {
    stop() {
      clearInterval(timer)
      return found
    },
  }
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}
