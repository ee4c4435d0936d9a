import { skipReason, type ManagedServer } from '@mainstay/testkit'
import { beforeAll, describe, expect, test, type TestContext } from 'vitest'

import { waitUntil } from '../real/lab/wait-until.ts'
import { EventNodes, Follower, Reporter } from './support/event-nodes.ts'

const PATIENCE = { timeoutMs: 60_000 }

let missing: string | undefined

beforeAll(async () => {
  missing = await skipReason('redis')
})

function needRedis(ctx: TestContext): void {
  if (missing === undefined) return
  if (process.env['MAINSTAY_TEST_ALL'] === '1') throw new Error(missing)
  ctx.skip(missing)
}

function upTo(last: number, first = 1): number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index)
}

async function head(node: ManagedServer): Promise<number> {
  const response = await fetch(`${node.url}/metrics`)
  const [, seq] = /mainstay_events_store_head_seq (\d+)/.exec(await response.text()) ?? []
  return Number(seq)
}

/** What a follower must have been shown when everything was reported: each event once, in order. */
async function expectEverything(follower: Follower, reporter: Reporter, first = 1): Promise<void> {
  await reporter.stop()
  const wanted = new Set(reporter.acknowledged)
  await waitUntil(() => wanted.isSubsetOf(new Set(follower.ids)), { ...PATIENCE, what: 'every acknowledged event' })
  expect(follower.seqs).toEqual(upTo(follower.seqs.at(-1)!, first))
  expect(new Set(follower.ids).size).toBe(follower.ids.length)
}

describe('several nodes on one log', { timeout: 180_000 }, () => {
  test('E-201 E-202 R14 R35 a client that is cut off, changes nodes and loses one is shown every event once', async (ctx) => {
    needRedis(ctx)
    await using events = await EventNodes.start(2)
    const [one, two] = events.nodes as [ManagedServer, ManagedServer]
    let up = [one, two]
    await using reporter = new Reporter(() => up.map(({ url }) => url))
    using wanderer = new Follower('since=earliest')
    using resident = new Follower('since=earliest')
    await resident.connect(() => two.url)
    await wanderer.connect(() => one.url)
    for (let cut = 0; cut < 3; cut += 1) {
      await reporter.more(60)
      wanderer.cut()
      await reporter.more(60)
      await wanderer.connect(() => events.nodes[cut % 2]!.url)
    }
    await reporter.more(30)
    up = [two]
    await one.kill()
    await wanderer.current.untilClosed()
    await reporter.more(60)
    await wanderer.connect(() => two.url)
    await reporter.more(30)
    await expectEverything(wanderer, reporter)
    await resident.until(wanderer.seqs.at(-1)!)
    // Any node shows the same event under the same place and id.
    const shown = (follower: Follower): string[] =>
      follower.connections.flatMap((each) =>
        each.events.map(({ id, seq, cursor }) => `${id as string} ${seq} ${cursor}`),
      )
    expect(shown(wanderer)).toEqual(shown(resident))
  })

  test('E-203 E-216 R34 all nodes are restarted one after the other, and then at once; nothing is lost', async (ctx) => {
    needRedis(ctx)
    await using events = await EventNodes.start(2, { reconnect_spread_ms: 100 })
    let up = [...events.nodes]
    await using reporter = new Reporter(() => up.map(({ url }) => url))
    const followers = Array.from({ length: 6 }, () => new Follower('since=earliest'))
    using _all = { [Symbol.dispose]: () => followers.forEach((follower) => follower[Symbol.dispose]()) }
    await Promise.all(followers.map(async (each, index) => await each.connect(() => events.nodes[index % 2]!.url)))
    for (const node of events.nodes) {
      await reporter.more(40)
      up = events.nodes.filter((each) => each !== node)
      const there = followers.filter(
        ({ current }) => current.closed === undefined && current.socket.url.includes(`:${node.port}`),
      )
      const leaving = node.restart()
      for (const follower of there) {
        expect(await follower.current.untilClosed()).toMatchObject({ code: 1012 })
        expect(follower.current.control('draining')).toHaveLength(1)
        await follower.connect(() => up[0]!.url)
      }
      expect(there.length).toBeGreaterThan(0)
      await leaving
      up = [...events.nodes]
    }
    await reporter.more(40)
    await reporter.stop()
    await Promise.all(events.nodes.map(async (node) => await node.restart()))
    await using after = new Reporter(() => up.map(({ url }) => url))
    await Promise.all(followers.map(async (each, index) => await each.connect(() => up[index % 2]!.url)))
    await after.more(40)
    await after.stop()
    for (const follower of followers) {
      await expectEverything(follower, reporter)
      await expectEverything(follower, after)
    }
  })

  test('E-207 R10 100 random cut points under load on real processes: no gap and no duplicate', async (ctx) => {
    needRedis(ctx)
    await using events = await EventNodes.start(2, { page_events: 50, pages_kept: 3 })
    const urls = events.nodes.map(({ url }) => url)
    await using reporter = new Reporter(() => urls, { lanes: 8 })
    await reporter.more(50)
    const follow = async (lane: number): Promise<void> => {
      using follower = new Follower('since=earliest')
      for (let cut = 0; cut < 10; cut += 1) {
        const client = await follower.connect(() => urls[(lane + cut) % 2]!)
        const enough = 1 + ((lane * 7 + cut * 13) % 40)
        await client.until('some events', (each) => each.events.length >= enough)
        follower.cut()
      }
      expect(follower.seqs).toEqual(upTo(follower.seqs.at(-1)!))
    }
    await Promise.all(Array.from({ length: 10 }, async (_, lane) => await follow(lane)))
  })

  test('E-204 R7 Redis is killed and comes back: what was reported meanwhile follows, connections stay, nothing is lost', async (ctx) => {
    needRedis(ctx)
    await using events = await EventNodes.start(2)
    const urls = events.nodes.map(({ url }) => url)
    using follower = new Follower('since=earliest')
    await follower.connect(() => urls[0]!)
    await using reporter = new Reporter(() => urls)
    await reporter.more(40)
    await events.redis.kill()
    const ready = async (): Promise<number> => (await fetch(`${urls[0]!}/health/ready`)).status
    await waitUntil(async () => (await ready()) === 503, { ...PATIENCE, what: 'the node to say that it is not ready' })
    await reporter.more(40)
    await events.redis.start()
    await waitUntil(async () => (await ready()) === 200, { ...PATIENCE, what: 'the node to be ready again' })
    await reporter.more(40)
    await expectEverything(follower, reporter)
    expect(follower.connections).toHaveLength(1)
    expect(follower.current.closed).toBeUndefined()
  })

  test('E-205 a wiped Redis is told to every client as a reset, and the new history goes on', async (ctx) => {
    needRedis(ctx)
    await using events = await EventNodes.start(2)
    const urls = events.nodes.map(({ url }) => url)
    using ending = new Follower()
    using staying = new Follower('on_reset=continue')
    await ending.connect(() => urls[0]!)
    await staying.connect(() => urls[1]!)
    await using first = new Reporter(() => urls)
    await first.more(20)
    await first.stop()
    await waitUntil(() => first.acknowledged.every((id) => ending.ids.includes(id) && staying.ids.includes(id)), {
      ...PATIENCE,
      what: 'the events before',
    })
    await events.redis.sql('FLUSHALL')
    await using second = new Reporter(() => urls)
    expect(await ending.current.untilClosed()).toEqual({ code: 4410, reason: 'epoch_changed' })
    expect(ending.current.control('reset')).toMatchObject([{ reason: 'epoch_changed' }])
    await second.more(20)
    await second.stop()
    await waitUntil(() => second.acknowledged.every((id) => staying.ids.includes(id)), {
      ...PATIENCE,
      what: 'the events after',
    })
    const { events: shown } = staying.current
    const epochs = [...new Set(shown.map(({ epoch }) => epoch))]
    expect(epochs).toHaveLength(2)
    const fresh = shown.filter(({ epoch }) => epoch === epochs[1]).map(({ seq }) => seq)
    expect(fresh).toEqual(upTo(fresh.length))
  })

  test('E-208 R20 one of twenty stops reading: the others see every event, and it gets the rest when it reads again', async (ctx) => {
    needRedis(ctx)
    await using events = await EventNodes.start(1)
    const [node] = events.nodes as [ManagedServer]
    await using reporter = new Reporter(() => [node.url], { lanes: 8, extraBytes: 16 * 1024 })
    const others = Array.from({ length: 19 }, () => new Follower('since=earliest'))
    using _all = { [Symbol.dispose]: () => others.forEach((follower) => follower[Symbol.dispose]()) }
    for (const other of others) await other.connect(() => node.url)
    using slow = new Follower('since=earliest')
    const client = await slow.connect(() => node.url)
    const { connection_id: id } = await client.hello()
    const state = async (): Promise<string | undefined> => {
      const listed = (await (await fetch(`${node.url}/v1/events/connections`)).json()) as { connections: Listed[] }
      return listed.connections.find((each) => each.id === id)?.state
    }
    // While it replays, it is not behind yet: it stops once it has all there is.
    await waitUntil(async () => (await state()) === 'live', { ...PATIENCE, what: 'it to be live' })
    client.socket.pause()
    await waitUntil(async () => (await state()) === 'behind', { ...PATIENCE, what: 'the server to notice' })
    await reporter.more(100)
    await reporter.stop()
    const last = await head(node)
    for (const other of others) {
      await other.until(last)
      expect(other.seqs).toEqual(upTo(last))
    }
    client.socket.resume()
    await slow.until(last)
    expect(slow.seqs).toEqual(upTo(last))
    await waitUntil(async () => (await state()) === 'live', { ...PATIENCE, what: 'it to be live again' })
  })
})

interface Listed {
  readonly id: string
  readonly state: string
}
