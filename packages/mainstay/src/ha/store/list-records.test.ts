import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { startHa, type RunningHa } from '../testing/start-ha.ts'
import { insertSegment } from './segments.ts'

let ha: RunningHa

beforeAll(async () => {
  ha = await startHa()
  await ha.store.write(async (queries) => {
    for (let index = 0; index < 25; index += 1) {
      await insertSegment(
        queries,
        {
          uuid: `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`,
          name: `segment ${index}`,
          serviceType: `type ${index % 3}`,
          recoveryMethod: index % 2 === 0 ? 'auto' : 'reserved_host',
          description: index % 4 === 0 ? null : `text ${index % 5}`,
          enabled: index % 3 !== 0,
        },
        Math.floor(index / 4) * 1000,
      )
    }
  })
})

afterAll(async () => {
  await ha[Symbol.asyncDispose]()
})

interface Listed {
  readonly id: number
  readonly name: string
  readonly enabled: boolean
}

async function list(query: string): Promise<Listed[]> {
  const answer = await ha.send('GET', `/v1/segments?${query}`)
  expect(answer.status).toBe(200)
  return (answer.json as unknown as { segments: Listed[] }).segments
}

async function status(query: string): Promise<number> {
  return (await ha.send('GET', `/v1/segments?${query}`)).status
}

describe('lists (ha-api 5.3, 6.3)', () => {
  test('the newest come first', async () => {
    const all = await list('')
    expect(all).toHaveLength(25)
    expect(all.map(({ id }) => id)).toEqual(all.map((_, index) => 25 - index))
  })

  test('pages of any size, in any order, give every record once, in the order of the whole list', async () => {
    const key = fc.constantFrom('name', 'description', 'service_type', 'enabled', 'created_at', 'updated_at', 'id')
    const keys = fc.array(fc.tuple(key, fc.constantFrom('asc', 'desc')), { maxLength: 3 })
    await fc.assert(
      fc.asyncProperty(keys, fc.integer({ min: 1, max: 9 }), async (terms, limit) => {
        const order = terms.map(([name, direction]) => `sort_key=${name}&sort_dir=${direction}`).join('&')
        const whole = await list(order)
        const paged: Listed[] = []
        for (let page = await list(`${order}&limit=${limit}`); page.length > 0;) {
          paged.push(...page)
          page = await list(`${order}&limit=${limit}&marker=${page.at(-1)!.id}`)
        }
        expect(paged.map(({ id }) => id)).toEqual(whole.map(({ id }) => id))
        expect(new Set(paged.map(({ id }) => id)).size).toBe(25)
      }),
      { numRuns: 60 },
    )
  }, 60_000)

  test.each([
    ['recovery_method=auto', 13],
    ['recovery_method=nothing', 0],
    ['service_type=type%201', 8],
    ['service_type=%00', 0],
    ['enabled=false', 9],
    ['enabled=YES', 16],
    ['enabled=t', 16],
    ['enabled=0', 9],
    ['enabled=perhaps', 0],
    ['enabled=', 0],
    ['name=segment%201', 25],
    ['nonsense=1', 25],
    ['recovery_method=x&recovery_method=auto', 13],
    ['recovery_method=%20auto%20', 0],
    ['limit=0', 0],
    ['limit=0&marker=x&sort_key=x', 0],
  ])('%s lists %i', async (query, count) => {
    expect(await list(query)).toHaveLength(count)
  })

  test.each([
    'limit=-1',
    'limit=x',
    'marker=',
    'marker=x',
    'marker=999',
    'marker=99999999999999999999',
    'marker=1.0',
    'marker=00000000-0000-4000-8000-000000000001',
    'sort_key=hosts',
    'sort_key=idempotency_key',
    'sort_key=',
    'sort_dir=up',
    'sort_dir=asc&sort_dir=asc',
    'limit=0&page_size=x',
  ])('%s is a 400', async (query) => {
    expect(await status(query)).toBe(400)
  })

  test('the marker is looked up without the filters', async () => {
    const last = (await list('recovery_method=auto')).at(0)!
    const other = (await list('recovery_method=reserved_host')).at(0)!
    const after = await list(`recovery_method=auto&marker=${other.id}`)
    expect(after.every(({ id }) => id < other.id)).toBe(true)
    expect(after).toHaveLength(12)
    expect(last.id).toBe(25)
  })

  test('the configured maximum bounds every list', async () => {
    await using own = await startHa({ options: { maxLimit: 3 }, store: ha.store })
    const answer = await own.send('GET', '/v1/segments?limit=10')
    expect((answer.json as unknown as { segments: Listed[] }).segments).toHaveLength(3)
  })
})
