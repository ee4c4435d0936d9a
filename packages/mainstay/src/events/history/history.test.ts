import { CloudEvent, HTTP } from 'cloudevents'
import { array, assert, asyncProperty, constantFrom, oneof, string, tuple } from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import { requestContext } from '../../core/context.ts'
import { SystemIds } from '../../core/ids.ts'
import { silentLogger } from '../../core/logging.ts'
import { Metrics } from '../../core/metrics.ts'
import { createHttpApp, registerNative, type Authenticate, type HttpApp } from '../../http/index.ts'
import { MemoryEventLog } from '../memory/log.ts'
import { newEvent } from '../testing/new-event.ts'
import { historyRoutes } from './routes.ts'

const START = Date.UTC(2026, 10, 21)

/** Who asks is said by the headers: nobody's word counts more in a test. */
const authenticate: Authenticate = async ({ headers, requestId, timestampMs }) => {
  const project = headers['x-project']
  return requestContext({
    requestId,
    timestampMs,
    isAdmin: project === undefined,
    projectId: typeof project === 'string' ? project : null,
    roles: typeof headers['x-role'] === 'string' ? [headers['x-role']] : [],
  })
}

interface Answer {
  readonly status: number
  readonly headers: Record<string, unknown>
  readonly body: Record<string, unknown>
}

let clock: ManualClock
let log: MemoryEventLog
let app: HttpApp
let epoch: string

beforeEach(async () => {
  clock = new ManualClock(START)
  log = new MemoryEventLog({ clock, retention: { maxAgeMs: 1e12, maxEvents: 30, maxBytes: 1e12 } })
  ;({ epoch } = await log.extent())
  app = createHttpApp({ clock, ids: new SystemIds(), metrics: new Metrics() })
  await registerNative(app, { clock, logger: silentLogger(), authenticate }, (native) =>
    historyRoutes(native, { log, limits: { pageEvents: 4, scanEvents: 25 } }),
  )
})

afterEach(async () => {
  await app.close()
  await log.close()
})

/** Ten events, one a second. */
async function fill(count = 10): Promise<void> {
  for (let index = 1; index <= count; index += 1) {
    const odd = index % 2 === 1
    await log.append([
      newEvent(index, {
        atMs: clock.now(),
        event_type: odd ? 'baremetal.node.power_set.end' : 'image.update',
        node_name: odd ? 'node-1' : null,
        severity: index === 10 ? 'error' : 'info',
        project_id: index % 5 === 0 ? 'p-1' : 'p-2',
        resource_id: `r-${index}`,
      }),
    ])
    await clock.advance(1000)
  }
}

async function get(path: string, headers: Record<string, string> = {}): Promise<Answer> {
  const answer = await app.inject({ method: 'GET', url: path, headers })
  return { status: answer.statusCode, headers: answer.headers, body: answer.json() }
}

function seqs({ body }: Answer): number[] {
  return (body['events'] as { seq: number }[]).map(({ seq }) => seq)
}

const history = async (query: Record<string, string> = {}, headers?: Record<string, string>): Promise<Answer> =>
  await get(`/v1/events/history?${new URLSearchParams(query).toString()}`, headers)

describe('history (R36)', () => {
  test('R36 an empty log has none', async () => {
    expect(await history()).toMatchObject({
      status: 200,
      body: { events: [], next_cursor: null, oldest: 1, head: 0, epoch },
    })
  })

  test('R36 has the events as the stream shows them', async () => {
    await fill(2)
    const { body, headers } = await history()
    expect(headers['content-type']).toMatch(/^application\/json/)
    expect(body).toMatchObject({ oldest: 1, head: 2, epoch, next_cursor: null })
    expect(body['events']).toEqual([
      expect.objectContaining({ seq: 1, cursor: `${epoch}:1`, epoch, id: 'id-1', resource_id: 'r-1' }),
      expect.objectContaining({ seq: 2, event_type: 'image.update', node_name: null }),
    ])
  })

  const at = (seconds: number): string => new Date(START + seconds * 1000).toISOString()
  test.each<[query: Record<string, string>, expected: number[]]>([
    [{}, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]],
    [{ since: 'earliest', limit: '3' }, [1, 2, 3]],
    [{ since: 'latest' }, []],
    [{ since: 'E:0' }, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]],
    [{ since: 'E:7' }, [8, 9, 10]],
    [{ since: 'E:10' }, []],
    [{ since: 'E:3', until: 'E:6' }, [4, 5, 6]],
    [{ since: 'E:6', until: 'E:3' }, []],
    [{ until: 'E:99' }, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]],
    [{ until: 'earliest' }, []],
    [{ since: at(5) }, [6, 7, 8, 9, 10]],
    [{ since: at(-100) }, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]],
    [{ since: at(100) }, []],
    [{ since: at(5), until: at(7) }, [6, 7]],
    [{ order: 'desc' }, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]],
    [{ order: 'desc', limit: '3' }, [10, 9, 8]],
    [{ order: 'desc', since: 'E:3', until: 'E:6' }, [6, 5, 4]],
    [{ event: 'image.*' }, [2, 4, 6, 8, 10]],
    [{ service: 'baremetal', order: 'desc' }, [9, 7, 5, 3, 1]],
    [{ node: 'node-?' }, [1, 3, 5, 7, 9]],
    [{ severity: 'warning' }, [10]],
    [{ resource: 'r-4' }, [4]],
    [{ event: '!image.*', since: 'E:5' }, [7, 9]],
  ])('R36, R17 %j', async (query, expected) => {
    await fill()
    const real = Object.fromEntries(
      Object.entries(query).map(([name, value]) => [name, value.replace(/^E:/, `${epoch}:`)]),
    )
    expect(seqs(await history(real))).toEqual(expected)
  })

  test('R17 names may be repeated', async () => {
    await fill()
    expect(seqs(await get('/v1/events/history?resource=r-2&resource=r-3&resource=r-99'))).toEqual([2, 3])
  })

  test.each(['asc', 'desc'])('R36 %s, page after page shows everything once and then ends', async (order) => {
    await fill(30)
    const found: number[] = []
    let query: Record<string, string> = { order, limit: '7', event: 'image.*' }
    for (let pages = 0; pages < 20; pages += 1) {
      const page = await history(query)
      found.push(...seqs(page))
      const next = page.body['next_cursor'] as string | null
      if (next === null) break
      query = { ...query, [order === 'asc' ? 'since' : 'until']: next }
    }
    const even = Array.from({ length: 15 }, (_, index) => 2 * (index + 1))
    expect(found).toEqual(order === 'asc' ? even : even.toReversed())
  })

  test('a filter that lets little pass ends a page before it has looked at everything', async () => {
    await fill(30)
    const page = await history({ resource: 'r-29' })
    expect([seqs(page), page.body['next_cursor']]).toEqual([[], `${epoch}:25`])
    const last = await history({ resource: 'r-29', since: `${epoch}:25` })
    expect([seqs(last), last.body['next_cursor']]).toEqual([[29], null])
  })

  test.each([
    ['since', 'E:3', 'cursor_expired', /no longer kept/],
    ['since', 'E:41', 'cursor_ahead', /ahead of the newest/],
    ['since', 'other:12', 'epoch_changed', /History was lost/],
    ['until', 'other:12', 'epoch_changed', /History was lost/],
  ])('R36 %s=%s is gone: 410 with the oldest', async (name, cursor, reason, message) => {
    for (let round = 0; round < 4; round += 1) await fill()
    await log.append(Array.from({ length: 30 }, (_, index) => newEvent(`x${index}`, { atMs: clock.now() })))
    await log.trim()
    const { oldest, head } = await log.extent()
    expect({ oldest, head }).toEqual({ oldest: 11, head: 40 })
    const { status, body } = await history({ [name]: cursor.replace(/^E:/, `${epoch}:`) })
    expect(status).toBe(410)
    expect(body).toMatchObject({ error: { code: 'MS_CURSOR_GONE', retryable: false }, reason, oldest, head, epoch })
    expect((body['error'] as { message: string }).message).toMatch(message)
  })

  test('R36 the oldest cursor that is good is the one before the oldest event', async () => {
    for (let round = 0; round < 4; round += 1) await fill()
    await log.append(Array.from({ length: 30 }, (_, index) => newEvent(`x${index}`, { atMs: clock.now() })))
    await log.trim()
    expect((await history({ since: `${epoch}:9` })).status).toBe(410)
    expect(seqs(await history({ since: `${epoch}:10`, limit: '1' }))).toEqual([11])
    expect(seqs(await history({ since: 'earliest', limit: '1' }))).toEqual([11])
  })

  test.each([
    ['limit=0'],
    ['limit=1001'],
    ['limit=ten'],
    ['limit=-1'],
    ['order=up'],
    ['format=xml'],
    ['since=yesterday'],
    ['until=x'],
    ['severity=loud'],
    ['sinc=earliest'],
    [`event=${'*a'.repeat(40)}`],
  ])('R36 refuses %s', async (query) => {
    expect((await get(`/v1/events/history?${query}`)).status).toBe(400)
  })
})

test('R36 whatever is asked is answered, and never with a fault of ours', async () => {
  await fill(5)
  const name = constantFrom('since', 'until', 'order', 'limit', 'format', 'event', 'node', 'severity', 'resource', 'x')
  const value = oneof(
    string(),
    constantFrom(`${epoch}:3`, 'earliest', 'latest', 'desc', '**.end', '5', '2026-11-21T00:00:00Z'),
  )
  await assert(
    asyncProperty(array(tuple(name, value), { maxLength: 6 }), async (pairs) => {
      const { status } = await get(`/v1/events/history?${new URLSearchParams(pairs).toString()}`)
      expect([200, 400, 410]).toContain(status)
    }),
  )
  await assert(
    asyncProperty(string(), async (id) => {
      const answer = await app.inject({ url: `/v1/events/${encodeURIComponent(id)}` })
      expect([200, 301, 404, 414]).toContain(answer.statusCode)
    }),
  )
})

describe('who may see what (R31, E-214)', () => {
  test('E-214 a project sees its own events, whatever its filter says', async () => {
    await fill()
    const headers = { 'x-project': 'p-1' }
    expect(seqs(await history({}, headers))).toEqual([5, 10])
    expect(seqs(await history({ project: 'p-2' }, headers))).toEqual([])
    expect(seqs(await history({ order: 'desc' }, headers))).toEqual([10, 5])
    expect(seqs(await history({}, { ...headers, 'x-role': 'events:read:all' }))).toHaveLength(10)
    expect(seqs(await history({}, { 'x-project': 'p-3' }))).toEqual([])
  })

  test('E-214 an event of another project does not exist for it', async () => {
    await fill()
    const headers = { 'x-project': 'p-1' }
    expect((await get('/v1/events/id-5', headers)).body).toMatchObject({ seq: 5, id: 'id-5' })
    const [hidden, missing] = [await get('/v1/events/id-4', headers), await get('/v1/events/id-400', headers)]
    expect([hidden.status, missing.status]).toEqual([404, 404])
    expect(
      JSON.stringify(hidden.body)
        .replace(/req-[0-9a-f-]+/, '')
        .replaceAll('id-4', ''),
    ).toBe(
      JSON.stringify(missing.body)
        .replace(/req-[0-9a-f-]+/, '')
        .replaceAll('id-400', ''),
    )
    expect((await get('/v1/events/id-4')).status).toBe(200)
  })
})

describe('as CloudEvents (R25, E-217)', () => {
  const BATCH = 'application/cloudevents-batch+json'

  test('E-217 a batch is taken by the official SDK, and says where it goes on', async () => {
    await fill()
    const answer = await app.inject({ url: '/v1/events/history?limit=4&event=image.*', headers: { accept: BATCH } })
    const type = answer.headers['content-type']
    expect(type).toBe(`${BATCH}; charset=utf-8`)
    const events = [HTTP.toEvent({ headers: { 'content-type': type }, body: answer.body })].flat() as unknown[]
    expect(events).toHaveLength(4)
    for (const event of events) expect(event instanceof CloudEvent && event.validate()).toBe(true)
    expect(answer.headers['link']).toBe(
      `</v1/events/history?limit=4&event=image.*&since=${encodeURIComponent(epoch)}%3A8>; rel="next"`,
    )
    const last = await app.inject({ url: '/v1/events/history', headers: { accept: BATCH } })
    expect(last.headers['link']).toBeUndefined()
  })

  test('R25 format=cloudevents keeps the page around them', async () => {
    await fill(3)
    const { body } = await history({ format: 'cloudevents', order: 'desc', limit: '2' })
    expect(body).toMatchObject({ next_cursor: `${epoch}:1`, head: 3 })
    expect(body['events']).toMatchObject([
      { specversion: '1.0', sequence: '0000000000000003' },
      { specversion: '1.0', sequence: '0000000000000002' },
    ])
  })

  test('R25 one event', async () => {
    await fill(1)
    const type = 'application/cloudevents+json'
    for (const [url, accept] of [
      ['/v1/events/id-1?format=cloudevents', '*/*'],
      ['/v1/events/id-1', type],
    ] as const) {
      const answer = await app.inject({ url, headers: { accept } })
      expect(answer.headers['content-type']).toBe(`${type}; charset=utf-8`)
      expect(answer.json()).toMatchObject({ id: 'id-1', specversion: '1.0' })
    }
  })
})
