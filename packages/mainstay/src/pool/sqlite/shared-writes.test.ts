import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { SystemIds, type Ids } from '../../core/ids.ts'
import { SqliteStore, readOutbox } from '../../store/index.ts'
import { groupRules, poolRules } from '../options.ts'
import type { PoolStore } from '../store.ts'
import { openSqlitePool } from './store.ts'

const NOW = 1000

let directory: string
let store: SqliteStore

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mainstay-pool-'))
  store = SqliteStore.open({ path: join(directory, 'mainstay.db') })
  await store.migrate()
})

afterEach(async () => {
  await store.close()
  await rm(directory, { recursive: true })
})

async function openPool(ids: Ids = new SystemIds()): Promise<PoolStore> {
  const pool = openSqlitePool({ store, ids })
  const groups = [groupRules({ id: 'g', maxTotal: 0 })]
  await pool.configure({ pool: poolRules(), groups }, { fence: null })
  return pool
}

const add = (pool: PoolStore, name: string) => pool.addVm({ name, group: 'g', ip: name, now: NOW, fence: null })
const outbox = async () => (await readOutbox(store.read, 100)).map(({ event }) => `${event.type} ${event.resourceId}`)
const names = async (pool: PoolStore) => (await pool.list({ limit: 100 })).vms.map(({ name }) => name)

describe('transitions that share a write', () => {
  test('C6 keep each its event beside its change, in their order and with the id that the caller was told', async () => {
    const pool = await openPool()
    const told = await Promise.all(['a', 'b', 'c'].map((name) => add(pool, name)))
    await expect(outbox()).resolves.toEqual(['pool.vm.added a', 'pool.vm.added b', 'pool.vm.added c'])
    const ids = (await readOutbox(store.read, 100)).map(({ event }) => event.id)
    expect(told.map(({ changes }) => changes[0]!.id)).toEqual(ids)
  })

  test('one that is refused takes nothing back from the others, and leaves no event', async () => {
    const pool = await openPool()
    const results = await Promise.allSettled(['a', 'a', 'b'].map((name) => add(pool, name)))
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(results[1]).toMatchObject({ reason: { code: 'MS_POOL_VM_EXISTS' } })
    await expect(names(pool)).resolves.toEqual(['a', 'b'])
    await expect(outbox()).resolves.toEqual(['pool.vm.added a', 'pool.vm.added b'])
  })

  test('one that fails after it wrote is undone alone', async () => {
    const ids = new SystemIds()
    let calls = 0
    const failing: Ids = {
      random: () => ids.random(),
      ordered: () => {
        calls += 1
        // The second of three, in the write that they share and again when it is run alone.
        if (calls === 2 || calls === 4) throw new Error('no id today')
        return ids.ordered()
      },
    }
    const pool = await openPool(failing)
    const results = await Promise.allSettled(['a', 'b', 'c'].map((name) => add(pool, name)))
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(results[1]).toMatchObject({ reason: { message: 'no id today' } })
    await expect(names(pool)).resolves.toEqual(['a', 'c'])
    await expect(outbox()).resolves.toEqual(['pool.vm.added a', 'pool.vm.added c'])
    await expect(pool.verify()).resolves.toEqual([])
  })

  test('another process on the same file sees the rules and the machines that this one wrote', async () => {
    const pool = await openPool()
    await add(pool, 'a')
    const second = SqliteStore.open({ path: join(directory, 'mainstay.db') })
    const other = openSqlitePool({ store: second })
    await expect(names(other)).resolves.toEqual(['a'])
    await pool.configure({ pool: poolRules(), groups: [groupRules({ id: 'h' })] }, { fence: null })
    await expect(add(other, 'b')).resolves.toMatchObject({ changes: [{ vm: 'b' }] })
    const { groups } = await other.configuration()
    expect(groups.map(({ id, draining }) => [id, draining])).toEqual([
      ['h', null],
      ['g', 'terminate'],
    ])
    await second.close()
  })
})
