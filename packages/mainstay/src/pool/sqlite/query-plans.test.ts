import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { SqliteStore } from '../../store/index.ts'
import { SqliteConnection } from '../../store/sqlite/connection.ts'
import * as statements from './statements.ts'

/** Counts over all machines, or looks at all of them on purpose: for people, start-up and care. */
const READS_ALL = new Set(['ALL_ROWS', 'COUNT_ALL_STATES', 'PAGE', 'PAGE_STATES', 'NAMES_AFTER'])

/** Reads the whole queue on purpose, or asks only whether there is one, or for its first entry. */
const READS_QUEUE = new Set(['ALL_QUEUED', 'ALL_WAITING', 'CLEAR_QUEUE', 'SETTINGS', 'WAITING_GROUPS'])

const QUEUE_TABLES = ['pool_queue', 'pool_requests', 'q', 'r']

let directory: string
let database: SqliteConnection

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mainstay-plans-'))
  const path = join(directory, 'mainstay.db')
  const store = SqliteStore.open({ path })
  await store.migrate()
  await store.close()
  database = new SqliteConnection({ path })
})

afterAll(async () => {
  database.close()
  await rm(directory, { recursive: true })
})

test.each(Object.entries(statements))('C2 the statement %s looks only at what it finds', (name, statement) => {
  const parameters = Array.from(
    { length: new Set(statement.match(/\?\d+/g) ?? []).size || statement.split('?').length - 1 },
    () => null,
  )
  const plan = database.query(`explain query plan ${statement}`, parameters).rows.map(({ detail }) => String(detail))
  const tables = [...(READS_ALL.has(name) ? [] : ['pool_vms', 'v']), ...(READS_QUEUE.has(name) ? [] : QUEUE_TABLES)]
  expect(
    plan.filter((line) => tables.some((table) => line === `SCAN ${table}` || line.startsWith(`SCAN ${table} `))),
  ).toEqual([])
})
