import { beforeEach, describe, expect, test, type TestContext } from 'vitest'

import type { Store } from '../../store/index.ts'
import { DisabledHosts } from './disabled-hosts.ts'
import { claimedBy, clearedOf, type GuestRecord, type RecordedMove } from './guest-record.ts'
import { Inventory } from './inventory.ts'

const MOVE: RecordedMove = {
  key: 'k',
  source: 'a',
  target: 'b',
  startedAt: 1,
  run: true,
  done: false,
  sourceCleared: false,
}

function guest(uuid: string, change: Partial<GuestRecord> = {}): GuestRecord {
  return {
    uuid,
    name: `guest ${uuid}`,
    host: 'a',
    state: 'active',
    xml: '<domain/>',
    moves: [],
    regardedAsError: false,
    fencedAt: null,
    runAgain: null,
    ranAtHostCpuTimeMs: null,
    startingSince: null,
    seenAt: 1,
    ...change,
  }
}

/**
 * What the inventory promises, on any store.
 *
 * @param open makes an empty, migrated store and says how to be rid of it
 */
export function inventoryConformance(
  name: string,
  open: (context: TestContext) => Promise<{ store: Store; dispose: () => Promise<void> }>,
): void {
  describe(`the inventory on ${name}`, () => {
    let store: Store
    let inventory: Inventory

    beforeEach(async (context) => {
      const opened = await open(context)
      store = opened.store
      inventory = new Inventory(store)
      return opened.dispose
    })

    test('keeps a guest, changes it and forgets it', async () => {
      expect(await inventory.find('u')).toBeUndefined()
      await inventory.change('u', (now) => now ?? guest('u'))
      expect(await inventory.find('u')).toEqual(guest('u'))
      await inventory.change('u', (now) => now && { ...now, host: 'b' })
      expect(await inventory.find('u')).toEqual(guest('u', { host: 'b' }))
      expect(await inventory.change('u', () => undefined)).toBeUndefined()
      expect(await inventory.find('u')).toEqual(guest('u', { host: 'b' }))
      await inventory.change('u', () => 'forget')
      expect(await inventory.find('u')).toBeUndefined()
    })

    test('lists the guests of a host by name', async () => {
      for (const [uuid, name] of [
        ['1', 'web'],
        ['2', 'db'],
      ] as const) {
        await inventory.change(uuid, () => guest(uuid, { name }))
      }
      await inventory.change('3', () => guest('3', { host: 'b' }))
      expect((await inventory.listOn('a')).map(({ name }) => name)).toEqual(['db', 'web'])
    })

    test('lists the guests that were moved away from a host and not seen to be gone from there', async () => {
      const moved = claimedBy(guest('moved'), MOVE)
      await inventory.change('moved', () => moved)
      await inventory.change('cleared', () => clearedOf(claimedBy(guest('cleared'), MOVE), 'a'))
      await inventory.change('here', () => guest('here', { moves: [MOVE] }))
      expect(await inventory.listMovedFrom('a')).toEqual([moved])
      expect(await inventory.listMovedFrom('b')).toEqual([])
    })

    test('lists the guests that are on their way from a host', async () => {
      const moving = claimedBy(guest('moving'), MOVE)
      await inventory.change('moving', () => moving)
      await inventory.change('arrived', () => claimedBy(guest('arrived'), { ...MOVE, done: true }))
      const onwards = claimedBy(moving, { ...MOVE, key: 'l', source: 'b', target: 'c' })
      await inventory.change('onwards', () => ({ ...onwards, uuid: 'onwards' }))
      expect(await inventory.listMovingFrom('a')).toEqual([moving])
      expect((await inventory.listMovingFrom('b')).map(({ uuid }) => uuid)).toEqual(['onwards'])
    })

    test.each([1, 2, 3, 4, 5])('lets one of many claim a guest, round %i', async () => {
      await inventory.change('u', () => guest('u'))
      const claims = Array.from({ length: 20 }, async (_, number) => {
        const move = { ...MOVE, key: `k${number}` }
        return await inventory.change('u', (now) => (now?.host === 'a' ? claimedBy(now, move) : undefined))
      })
      const won = (await Promise.all(claims)).filter((record) => record !== undefined)
      expect(won).toHaveLength(1)
      expect(await inventory.find('u')).toEqual(won[0])
    })

    test('keeps for whoever asks next which hosts are disabled, and why', async () => {
      const [first, next] = [new DisabledHosts(store), new DisabledHosts(store)]
      expect(await next.reasonOf('a')).toBeNull()
      await first.add('a', 'it died', 1)
      await first.add('a', 'it died again', 2)
      await first.add('b', 'for a test', 3)
      expect(await next.reasonOf('a')).toBe('it died again')
      await next.remove('a')
      await next.remove('a')
      expect([await first.reasonOf('a'), await first.reasonOf('b')]).toEqual([null, 'for a test'])
    })
  })
}
