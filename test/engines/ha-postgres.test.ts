import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { sql } from 'kysely'
import { describe, expect, test, type TestContext } from 'vitest'

import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import { importDatabase, openDatabaseSource, purge } from '../../packages/mainstay/src/ha/index.ts'
import { startHa, type RunningHa } from '../../packages/mainstay/src/ha/testing/start-ha.ts'
import {
  settleBusOutbox,
  takeFromBusOutbox,
  trimBusOutbox,
  writeToBusOutbox,
} from '../../packages/mainstay/src/ha/versioned/bus-outbox.ts'
import { PostgresStore } from '../../packages/mainstay/src/store/index.ts'
import { SqliteConnection } from '../../packages/mainstay/src/store/sqlite/connection.ts'
import { usePostgres } from './support/shared-postgres.ts'

/** What could be different on PostgreSQL: locks, nulls in order, ids that were given, text that it refuses. */

const SEGMENT = { name: 's1', recovery_method: 'auto', service_type: 'COMPUTE' }

const database = usePostgres()

async function haOnPostgres(ctx: TestContext): Promise<RunningHa> {
  const clock = new SystemClock()
  const store = PostgresStore.open({ url: await database(ctx), clock, logger: silentLogger() })
  await store.migrate()
  const ha = await startHa({ clock, store })
  return Object.assign(ha, {
    [Symbol.asyncDispose]: async () => {
      await ha.app.close()
      await store.close()
    },
  })
}

async function addHost(ha: RunningHa, name: string): Promise<{ segment: string; host: string }> {
  const created = await ha.send('POST', '/v1/segments', { body: { segment: { ...SEGMENT, name: `s ${name}` } } })
  const segment = (created.json as { segment: { uuid: string } }).segment.uuid
  const host = await ha.send('POST', `/v1/segments/${segment}/hosts`, {
    body: { host: { name, type: 'COMPUTE', control_attributes: 'SSH' } },
  })
  return { segment, host: (host.json as { host: { uuid: string } }).host.uuid }
}

async function report(ha: RunningHa, hostname: string, headers: Record<string, string> = {}): Promise<number> {
  const notification = {
    type: 'COMPUTE_HOST',
    hostname,
    generated_time: '2026-01-01T00:00:00',
    payload: { event: 'STOPPED' },
  }
  return (await ha.send('POST', '/v1/notifications', { headers, body: { notification } })).status
}

describe('the HA API on PostgreSQL', () => {
  test('5.3 texts are in the order of their bytes, page by page, whatever the collation of the database', async (ctx) => {
    const url = new URL(await database(ctx))
    const clock = new SystemClock()
    const first = PostgresStore.open({ url: url.href, clock, logger: silentLogger() })
    const name = `icu_${url.pathname.slice(1)}`
    const icu = `create database "${name}" template template0 encoding 'UTF8' locale_provider icu icu_locale 'en-US'`
    await sql.raw(icu).execute(first.read)
    await first.close()
    url.pathname = `/${name}`
    await using cleanup = new AsyncDisposableStack()
    const store = PostgresStore.open({ url: url.href, clock, logger: silentLogger() })
    cleanup.defer(async () => await store.close())
    await store.migrate()
    const ha = cleanup.use(await startHa({ clock, store }))
    const names = ['B', '_', 'a', 'A', 'ä', 'b', 'a b', 'ab', 'Z', '語', 'é']
    for (const each of names) {
      const answer = await ha.send('POST', '/v1/segments', { body: { segment: { ...SEGMENT, name: each } } })
      expect([each, answer.status]).toEqual([each, 201])
    }
    const bytes = names.toSorted((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other)))
    for (const [direction, expected] of [
      ['asc', bytes],
      ['desc', bytes.toReversed()],
    ] as const) {
      const seen: string[] = []
      for (let marker = ''; seen.length < names.length;) {
        const answer = await ha.send('GET', `/v1/segments?sort_key=name&sort_dir=${direction}&limit=2${marker}`)
        const { segments } = answer.json as { segments: { id: number; name: string }[] }
        expect(segments.length).toBeGreaterThan(0)
        seen.push(...segments.map((segment) => segment.name))
        marker = `&marker=${segments.at(-1)?.id}`
      }
      expect(seen).toEqual(expected)
    }
  })

  test('trouble that somebody can mend is told with its remedy', async (ctx) => {
    await using ha = await haOnPostgres(ctx)
    await sql`alter table failover_segments rename to elsewhere`.execute(ha.store.read)
    const answer = await ha.send('GET', '/v1/segments')
    expect(answer.status).toBe(500)
    expect(answer.text).toMatch(/mainstay migrate/)
    expect(answer.text).not.toMatch(/report/)
    await sql`alter table elsewhere rename to failover_segments`.execute(ha.store.read)
    expect((await ha.send('GET', '/v1/segments')).status).toBe(200)
  })

  test('one of many equal reports at the same moment is stored', async (ctx) => {
    await using ha = await haOnPostgres(ctx)
    await addHost(ha, 'compute1')
    const statuses = await Promise.all(Array.from({ length: 30 }, () => report(ha, 'compute1')))
    expect(statuses.filter((status) => status === 202)).toHaveLength(1)
    expect(statuses.filter((status) => status === 409)).toHaveLength(29)
  })

  test('18 of many that take messages for the bus at the same moment one gets them, the others nothing', async (ctx) => {
    await using ha = await haOnPostgres(ctx)
    await ha.store.write(async (queries) => {
      const messages = ['1', '2', '3'].map((body) => ({ priority: 'info', body }) as const)
      await writeToBusOutbox(queries, messages, 1000)
    })
    const take = async (nowMs: number): Promise<string[]> =>
      (await takeFromBusOutbox(ha.store, { limit: 10, nowMs, untilMs: nowMs + 500 })).map(({ body }) => body)
    const taken = await Promise.all(Array.from({ length: 8 }, async () => await take(2000)))
    expect(taken.filter((bodies) => bodies.length > 0)).toEqual([['1', '2', '3']])
    expect(await take(2499)).toEqual([])
    expect(await take(2500)).toEqual(['1', '2', '3'])
    await settleBusOutbox(ha.store, { sent: [1, 2], unsent: [3] })
    expect(await take(2501)).toEqual(['3'])
    expect(await trimBusOutbox(ha.store, 1001)).toBe(1)
    expect(await take(9000)).toEqual([])
  })

  test('many repeats with the same Idempotency-Key store one', async (ctx) => {
    await using ha = await haOnPostgres(ctx)
    await addHost(ha, 'compute1')
    const headers = { 'Idempotency-Key': 'k' }
    const statuses = await Promise.all(Array.from({ length: 20 }, () => report(ha, 'compute1', headers)))
    expect(new Set(statuses)).toEqual(new Set([202]))
    expect(ha.recoveries).toHaveLength(1)
  })

  test('a report and the deletion of its segment never both succeed', async (ctx) => {
    await using ha = await haOnPostgres(ctx)
    for (let round = 0; round < 10; round += 1) {
      const { segment } = await addHost(ha, `compute${round}`)
      const [reported, deleted] = await Promise.all([
        report(ha, `compute${round}`),
        ha.send('DELETE', `/v1/segments/${segment}`).then(({ status }) => status),
      ])
      expect([
        [202, 409],
        [400, 204],
      ]).toContainEqual([reported, deleted])
    }
  })

  test('names that are taken in the same moment are one 201 and conflicts', async (ctx) => {
    await using ha = await haOnPostgres(ctx)
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => ha.send('POST', '/v1/segments', { body: { segment: SEGMENT } })),
    )
    const statuses = answers.map(({ status }) => status).sort((a, b) => a - b)
    expect(statuses).toEqual([201, ...Array.from({ length: 9 }, () => 409)])
  })

  test('pages sorted by a column with nulls give every record once', async (ctx) => {
    await using ha = await haOnPostgres(ctx)
    for (let index = 0; index < 9; index += 1) {
      const description = index % 2 === 0 ? null : `text ${index % 4}`
      await ha.send('POST', '/v1/segments', { body: { segment: { ...SEGMENT, name: `n${index}`, description } } })
    }
    for (const direction of ['asc', 'desc']) {
      const order = `sort_key=description&sort_dir=${direction}`
      const read = async (query: string): Promise<number[]> => {
        const { json } = await ha.send('GET', `/v1/segments?${query}`)
        return (json as unknown as { segments: { id: number }[] }).segments.map(({ id }) => id)
      }
      const paged: number[] = []
      for (let page = await read(`${order}&limit=2`); page.length > 0;) {
        paged.push(...page)
        page = await read(`${order}&limit=2&marker=${page.at(-1)}`)
      }
      expect(paged).toEqual(await read(order))
      expect(new Set(paged).size).toBe(9)
    }
  })

  test.for(['service_type=%00', 'marker=99999999999', 'limit=99999999999999'])(
    '%s is no error of the server',
    async (query, ctx) => {
      await using ha = await haOnPostgres(ctx)
      expect((await ha.send('GET', `/v1/segments?${query}`)).status).toBeLessThan(500)
    },
  )

  test('an imported database goes on with new ids, and is purged', async (ctx) => {
    await using ha = await haOnPostgres(ctx)
    const directory = await mkdtemp(join(tmpdir(), 'mainstay-import-'))
    const path = join(directory, 'old.sqlite')
    const old = new SqliteConnection({ path })
    old.exec(`create table failover_segments (id integer primary key, created_at text, updated_at text, deleted_at text,
      deleted integer, uuid text, name text, service_type text, description text, recovery_method text);
      insert into failover_segments values (41, '2020-01-01', null, null, 0, 'u1', 'kept', 'x', null, 'auto');
      insert into failover_segments values (42, '2020-01-01', null, '2020-01-02', 42, 'u2', 'gone', 'x', null, 'auto');`)
    old.close()
    const source = openDatabaseSource(path)
    await importDatabase(ha.store, source, { signal: new AbortController().signal })
    source.close()
    await rm(directory, { recursive: true })
    const created = await ha.send('POST', '/v1/segments', { body: { segment: SEGMENT } })
    expect(created.json).toMatchObject({ segment: { id: 43 } })
    const options = { ageInDays: 30, maxRows: -1, nowMs: Date.UTC(2026, 0, 1) }
    expect(await purge(ha.store, options)).toMatchObject({ failover_segments: 1 })
  })
})
