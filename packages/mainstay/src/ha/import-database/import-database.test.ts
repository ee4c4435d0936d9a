import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { SqliteConnection } from '../../store/sqlite/connection.ts'
import { startHa, type RunningHa } from '../testing/start-ha.ts'
import { importDatabase, openDatabaseSource } from './import-database.ts'

const COMMON = 'created_at datetime, updated_at datetime, deleted_at datetime, deleted integer, id integer primary key'
const STAMP = `'2025-01-01 10:00:00.000000', null, null, 0`

/** The tables of release 14.0: no moves, no segment in a notification. */
const OLD_DATABASE = `
  create table failover_segments (${COMMON}, uuid text, name text, service_type text, description text,
    recovery_method text, enabled boolean);
  create table hosts (${COMMON}, uuid text, name text, reserved boolean, type text, control_attributes text,
    failover_segment_id text, on_maintenance boolean);
  create table notifications (${COMMON}, notification_uuid text, generated_time datetime, source_host_uuid text,
    type text, payload text, status text);
  insert into failover_segments values (${STAMP}, 7, 'seg', 's1', 'COMPUTE', null, 'auto', null);
  insert into hosts values (${STAMP}, 9, 'host', 'compute1', 0, 'COMPUTE', 'SSH', 'seg', 1);
  insert into hosts values ('2025-01-01 10:00:00', null, '2025-01-02 10:00:00', 4, 4, 'gone', 'compute0', 1, 'X', '', 'seg', 0);
  insert into notifications values (${STAMP}, 3, 'note', '2025-01-03 04:05:06.789012', 'gone', 'COMPUTE_HOST',
    '{"event": "STOPPED", "cluster_status": "OFFLINE"}', 'finished');
`

let directory: string
let ha: RunningHa
const { signal } = new AbortController()

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mainstay-import-'))
  ha = await startHa()
})

afterEach(async () => {
  await ha[Symbol.asyncDispose]()
  await rm(directory, { recursive: true })
})

function oldDatabase(sql: string): string {
  const path = join(directory, 'masakari.sqlite')
  const connection = new SqliteConnection({ path })
  connection.exec(sql)
  connection.close()
  return path
}

describe('import of a Masakari database (ha-api 23)', () => {
  test('an old release comes over with ids, times and deleted records', async () => {
    const source = openDatabaseSource(`sqlite:///${oldDatabase(OLD_DATABASE)}`)
    const counts = await importDatabase(ha.store, source, { signal })
    source.close()
    expect(counts).toEqual({ failover_segments: 1, hosts: 2, notifications: 1, vmoves: 0 })
    expect((await ha.send('GET', '/v1/segments')).json).toMatchObject({
      segments: [{ id: 7, uuid: 'seg', enabled: true, created_at: '2025-01-01T10:00:00.000000' }],
    })
    expect((await ha.send('GET', '/v1/notifications')).json).toMatchObject({
      notifications: [
        {
          id: 3,
          failover_segment_uuid: 'seg',
          generated_time: '2025-01-03T04:05:06.789000',
          payload: { event: 'STOPPED', cluster_status: 'OFFLINE' },
          message: null,
        },
      ],
    })
    const hosts = await ha.store.read.selectFrom('hosts').selectAll().orderBy('id').execute()
    expect(hosts.map(({ id, deleted }) => [id, deleted])).toEqual([
      [4, 4],
      [9, 0],
    ])
    const next = await ha.send('POST', '/v1/segments', {
      body: { segment: { name: 'new', recovery_method: 'auto', service_type: 'x' } },
    })
    expect(next.json).toMatchObject({ segment: { id: 8 } })
  })

  test('a database is not imported over another, and a bad record imports nothing', async () => {
    const source = openDatabaseSource(oldDatabase(`${OLD_DATABASE} update notifications set generated_time = 'never'`))
    await expect(importDatabase(ha.store, source, { signal })).rejects.toThrow(/generated_time of record note/)
    source.close()
    expect((await ha.send('GET', '/v1/segments')).json).toEqual({ segments: [] })
  })

  test.each([
    ["update notifications set status = 'weird'", /status of record note .*one of new, running, .*not "weird"/],
    ["update failover_segments set recovery_method = 'weird'", /recovery_method of record seg .*one of auto, /],
    [
      "update hosts set failover_segment_id = 'other' where id = 9",
      /failover_segment_id of record host .*no such segment/,
    ],
    ["update hosts set name = 'a' || char(0) || 'b' where id = 9", /name of record host .*NUL/],
    ['update notifications set id = 2147483648', /id of record note .*at most 2147483647/],
  ])('%s: the record is named and nothing imported', async (sql, message) => {
    const source = openDatabaseSource(oldDatabase(`${OLD_DATABASE} ${sql}`))
    await expect(importDatabase(ha.store, source, { signal })).rejects.toThrow(message)
    source.close()
    expect((await ha.send('GET', '/v1/segments')).json).toEqual({ segments: [] })
  })

  test('a host finds its segment in whatever case it names it', async () => {
    const sql = `${OLD_DATABASE} update hosts set failover_segment_id = 'SEG'`
    const source = openDatabaseSource(oldDatabase(sql))
    await importDatabase(ha.store, source, { signal })
    source.close()
    const hosts = await ha.store.read.selectFrom('hosts').selectAll().execute()
    expect(hosts.map((host) => host.failover_segment_id)).toEqual(['seg', 'seg'])
  })

  test('a database of something else is none', async () => {
    const source = openDatabaseSource(oldDatabase('create table notes (id integer primary key)'))
    await expect(importDatabase(ha.store, source, { signal })).rejects.toThrow(/none of the tables of Masakari/)
    source.close()
  })

  test('what is no file is refused as such', () => {
    expect(() => openDatabaseSource('')).toThrow(/is empty/)
    for (const path of [directory, `sqlite:///${directory}`, join(directory, 'missing')]) {
      expect(() => openDatabaseSource(path)).toThrow(/There is no file/)
    }
  })

  test('what is there already is not mixed with', async () => {
    await ha.send('POST', '/v1/segments', {
      body: { segment: { name: 'mine', recovery_method: 'auto', service_type: 'x' } },
    })
    const source = openDatabaseSource(oldDatabase(OLD_DATABASE))
    await expect(importDatabase(ha.store, source, { signal })).rejects.toThrow(/There are failover segments already/)
    source.close()
  })

  test.each(['postgresql://x/y', 'mysql+pymysql://'])('the address %s is refused', (address) => {
    expect(() => openDatabaseSource(address)).toThrow(/mysql\+pymysql/)
  })
})
