import { afterAll, expect, test } from 'vitest'
import { Cluster, skipReason } from '@mainstay/testkit'

import { importDatabase, openDatabaseSource } from '../../packages/mainstay/src/ha/index.ts'
import { startHa } from '../../packages/mainstay/src/ha/testing/start-ha.ts'
import { needThat } from '../support/need.ts'

let cluster: Cluster | undefined

afterAll(async () => {
  await cluster?.dispose()
})

const COMMON =
  'created_at datetime, updated_at datetime, deleted_at datetime, deleted int, id int not null auto_increment primary key'

/** The tables of a current release. */
const TABLES = [
  `create table masakari.failover_segments (${COMMON}, uuid varchar(36), name varchar(255), service_type varchar(255),
    enabled tinyint(1), description text, recovery_method enum('auto','reserved_host','auto_priority','rh_priority'))`,
  `create table masakari.hosts (${COMMON}, uuid varchar(36), name varchar(255), reserved tinyint(1), type varchar(255),
    control_attributes text, failover_segment_id varchar(36), on_maintenance tinyint(1))`,
  `create table masakari.notifications (${COMMON}, notification_uuid varchar(36), generated_time datetime,
    source_host_uuid varchar(36), type varchar(36), payload text, status varchar(8), failover_segment_uuid varchar(36),
    message text)`,
  `create table masakari.vmoves (${COMMON}, uuid varchar(36), notification_uuid varchar(36), instance_uuid varchar(36),
    instance_name varchar(255), source_host varchar(255), dest_host varchar(255), start_time datetime, end_time datetime,
    type varchar(36), status varchar(255), message text)`,
]

const ROWS = [
  `insert into masakari.failover_segments values ('2025-01-01 10:00:00', null, null, 0, 5, 'seg', 'naïve "s1"\n', 'X', 0, null, 'auto')`,
  `insert into masakari.hosts values ('2025-01-01 10:00:00', null, null, 0, 6, 'host', 'compute1', 1, 'X', 'SSH', 'seg', 0)`,
  `insert into masakari.notifications values ('2025-01-01 10:00:00', '2025-01-01 11:00:00', null, 0, 7, 'note',
    '2025-01-01 09:00:00', 'host', 'COMPUTE_HOST', '{"event": "STOPPED"}', 'finished', null, 'a\\\\b')`,
  `insert into masakari.vmoves values ('2025-01-01 10:00:00', null, null, 0, 8, 'move', 'note', 'vm', 'vm1', 'compute1',
    'compute2', '2025-01-01 10:00:01', '2025-01-01 10:00:02', 'evacuation', 'succeeded', null)`,
]

test('a masakari database in MariaDB is read with all segments, hosts, notifications and moves', async (ctx) => {
  const reason = await skipReason('mariadb')
  needThat(ctx, reason === undefined, reason ?? '')
  cluster = await Cluster.create({ name: 'ha-mariadb' })
  const mariadb = cluster.component('mariadb')
  await mariadb.start()
  for (const statement of ['create database masakari character set utf8mb4', ...TABLES, ...ROWS]) {
    await mariadb.sql(statement)
  }
  await using ha = await startHa()
  const source = openDatabaseSource(`mysql+pymysql://root@127.0.0.1:${mariadb.port}/masakari?charset=utf8`)
  const counts = await importDatabase(ha.store, source, { signal: new AbortController().signal })
  expect(counts).toEqual({ failover_segments: 1, hosts: 1, notifications: 1, vmoves: 1 })
  expect((await ha.send('GET', '/v1/segments')).json).toMatchObject({
    segments: [{ id: 5, name: 'naïve "s1"\n', enabled: false, created_at: '2025-01-01T10:00:00.000000' }],
  })
  expect((await ha.send('GET', '/v1/notifications')).json).toMatchObject({
    notifications: [{ id: 7, failover_segment_uuid: 'seg', message: 'a\\b', payload: { event: 'STOPPED' } }],
  })
  const moves = await ha.store.read.selectFrom('vmoves').selectAll().execute()
  expect(moves).toMatchObject([
    { id: 8, uuid: 'move', status: 'succeeded', start_time: Date.UTC(2025, 0, 1, 10, 0, 1) },
  ])
  const wrong = openDatabaseSource(`mysql+pymysql://nobody:wrong@127.0.0.1:${mariadb.port}/masakari`)
  await expect(importDatabase(ha.store, wrong, { signal: new AbortController().signal })).rejects.toThrow(
    /cannot be read/,
  )
}, 120_000)
