import { array, assert, asyncProperty, integer, option, set } from 'fast-check'
import { describe, expect, test } from 'vitest'

import { MainstayApiError } from './errors.ts'
import { pages, type ListOptions, type Page } from './paging.ts'

interface Item {
  readonly id: number
}

/** A list as ha-api 5.3 has it: newest first, a limit of its own, and no mercy for markers of deleted records. */
class Shelf {
  readonly asked: Page[] = []
  #items: Item[]
  readonly #maxLimit: number

  constructor(ids: readonly number[], maxLimit: number) {
    this.#items = ids.toSorted((a, b) => b - a).map((id) => ({ id }))
    this.#maxLimit = maxLimit
  }

  remove(id: number): void {
    this.#items = this.#items.filter((item) => item.id !== id)
  }

  page = async (page: Page): Promise<Item[]> => {
    this.asked.push(page)
    const from = page.marker === undefined ? 0 : this.#items.findIndex(({ id }) => id === page.marker) + 1
    if (page.marker !== undefined && from === 0) {
      const fault = { status: 400, faultKey: 'badRequest', requestId: null, retryAfterMs: null, message: 'marker' }
      throw new MainstayApiError('GET /x', fault)
    }
    return this.#items.slice(from, from + Math.min(page.limit, this.#maxLimit))
  }
}

async function idsOf(shelf: Shelf, options: ListOptions): Promise<number[]> {
  return (await Array.fromAsync(pages(options, shelf.page))).map(({ id }) => id)
}

const ids = set(integer({ min: 1, max: 60 }), { maxLength: 40 })

describe('paging (ha-api 5.3)', () => {
  test('gives every record once, in order, whatever the sizes of the pages', async () => {
    await assert(
      asyncProperty(
        ids,
        integer({ min: 1, max: 7 }),
        integer({ min: 1, max: 7 }),
        option(integer({ min: 0, max: 50 }), { nil: undefined }),
        async (all, pageSize, maxLimit, limit) => {
          const expected = [...all].sort((a, b) => b - a).slice(0, limit)
          expect(await idsOf(new Shelf([...all], maxLimit), { pageSize, limit })).toEqual(expected)
        },
      ),
    )
  })

  test('asks for nothing when nothing is wanted', async () => {
    const shelf = new Shelf([1, 2], 10)
    expect(await idsOf(shelf, { limit: 0 })).toEqual([])
    expect(shelf.asked).toEqual([])
  })

  test('goes on when the record that marks the place is deleted meanwhile', async () => {
    await assert(
      asyncProperty(
        ids,
        integer({ min: 2, max: 6 }),
        array(integer({ min: 0, max: 39 }), { maxLength: 8 }),
        async (all, pageSize, deletions) => {
          const shelf = new Shelf([...all], 100)
          const seen: number[] = []
          const removed = new Set<number>()
          for await (const { id } of pages({ pageSize }, shelf.page)) {
            seen.push(id)
            if (!deletions.includes(seen.length)) continue
            shelf.remove(id)
            removed.add(id)
          }
          expect(seen).toEqual([...all].sort((a, b) => b - a))
          expect(seen).toEqual(expect.arrayContaining([...removed]))
        },
      ),
    )
  })

  test('does not hide that the server refuses the list itself', async () => {
    const refuse = async (): Promise<Item[]> => {
      const fault = { status: 400, faultKey: 'badRequest', requestId: null, retryAfterMs: null, message: 'no' }
      throw new MainstayApiError('GET /x', fault)
    }
    await expect(Array.fromAsync(pages({}, refuse))).rejects.toThrow(MainstayApiError)
  })

  test('gives up when every marker that is left is refused', async () => {
    const all = Array.from({ length: 20 }, (_, index) => index + 1)
    const shelf = new Shelf(all, 12)
    const walk = async (): Promise<void> => {
      for await (const { id } of pages({ pageSize: 12 }, shelf.page)) {
        if (id === 9) for (const gone of all) shelf.remove(gone)
      }
    }
    await expect(walk()).rejects.toMatchObject({ status: 400 })
  })
})
