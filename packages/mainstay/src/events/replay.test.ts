import { describe, expect, test, vi } from 'vitest'

import { SystemIds } from '../core/ids.ts'
import { SystemClock, type Clock } from '../core/clock.ts'
import { SeededRandom, integerBetween } from '../core/random.ts'
import { nextTurn } from '../core/turn.ts'
import { EventLogUnavailableError } from './errors.ts'
import type { LogExtent, TailNews } from './log.ts'
import { MemoryHistory } from './memory/history.ts'
import { MemoryEventLog } from './memory/log.ts'
import { newEvents } from './testing/new-event.ts'
import type { StreamClient } from './testing/stream-client.ts'
import { StreamLab } from './testing/stream-lab.ts'
import { waitFor } from './testing/wait-for.ts'

// Real sockets on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 })

/** Small pages, so that a short history has many. */
const hub = { pageEvents: 20, pagesKept: 3 }

function upTo(last: number, first = 1): number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index)
}

/** The seqs of several connections of one client, one after the other. */
function seqsOf(clients: readonly StreamClient[]): number[] {
  return clients.flatMap(({ seqs }) => seqs)
}

function cursorOf(client: StreamClient): string {
  return client.events.at(-1)?.cursor ?? (client.frames[0]!['cursor'] as string)
}

/** Appends events, a few in each turn, until disposed. */
class Writer implements AsyncDisposable {
  #stopping = false
  readonly #running: Promise<void>

  constructor(log: MemoryEventLog, random = new SeededRandom(7)) {
    this.#running = (async () => {
      for (let batch = 0; !this.#stopping; batch += 1) {
        await log.append(newEvents(integerBetween(random, 1, 4), `${batch}-`))
        for (let turns = integerBetween(random, 0, 3); turns >= 0; turns -= 1) await nextTurn()
      }
    })()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping = true
    await this.#running
  }
}

/** News that begin with the history that is known already. */
async function* repeated(news: AsyncIterable<TailNews>, extent: LogExtent): AsyncGenerator<TailNews> {
  yield { kind: 'epoch', extent }
  yield { kind: 'epoch', extent }
  yield* news
}

describe('resuming', () => {
  test('E-201 a client that was cut off under load resumes with all events once, in order', async () => {
    const clock = new SystemClock()
    const log = new MemoryEventLog({ clock })
    await using lab = await StreamLab.start({ log, clock, options: { hub } })
    const clients = [await lab.listen()]
    {
      await using _writer = new Writer(log)
      for (let cut = 0; cut < 5; cut += 1) {
        const client = clients.at(-1)!
        const target = client.events.length + 30
        await client.until('some events', ({ events }) => events.length >= target)
        client.cut()
        const { head } = await log.extent()
        await waitFor('events while nobody listens', () => lab.service.hub.position!.seq > head + 100)
        clients.push(await lab.listen({ query: `since=${cursorOf(client)}` }))
      }
    }
    const { head } = await log.extent()
    await clients.at(-1)!.until('the last event', ({ seqs }) => seqs.at(-1) === head)
    expect(seqsOf(clients)).toEqual(upTo(head))
    expect(await clients.at(-1)!.hello()).toMatchObject({ resumed: true })
  })

  test('E-202 R14 R35 it resumes on another node, and is shown the same events there', async () => {
    const clock = new SystemClock()
    const history = new MemoryHistory(new SystemIds())
    const node = async (): Promise<StreamLab> =>
      await StreamLab.start({ log: new MemoryEventLog({ clock, history }), clock, options: { hub } })
    await using first = await node()
    await using second = await node()
    const [here, there] = [await first.listen(), await second.listen()]
    const log = first.log as MemoryEventLog
    const clients = [here]
    {
      await using _writer = new Writer(log)
      await here.until('some events', ({ events }) => events.length >= 50)
      here.cut()
      clients.push(await second.listen({ query: `since=${cursorOf(here)}` }))
      await clients[1]!.until('some events', ({ events }) => events.length >= 50)
      clients[1]!.cut()
      clients.push(await first.listen({ query: `since=${cursorOf(clients[1]!)}` }))
    }
    const { head } = await log.extent()
    await clients[2]!.until('the last event', ({ seqs }) => seqs.at(-1) === head)
    await there.until('the last event', ({ seqs }) => seqs.at(-1) === head)
    expect(seqsOf(clients)).toEqual(upTo(head))
    const facts = (client: StreamClient): unknown[] => client.events.map(({ id, seq, cursor }) => [id, seq, cursor])
    expect(clients.flatMap(facts)).toEqual(facts(there))
  })

  test('E-203 R14 it resumes after all nodes were restarted', async () => {
    const clock = new SystemClock()
    const history = new MemoryHistory(new SystemIds())
    const clients: StreamClient[] = []
    for (let life = 0; life < 3; life += 1) {
      const log = new MemoryEventLog({ clock, history })
      await using lab = await StreamLab.start({ log, clock, options: { hub } })
      const since = clients.length === 0 ? 'latest' : cursorOf(clients.at(-1)!)
      const client = await lab.listen({ query: `since=${since}` })
      clients.push(client)
      await using _writer = new Writer(log)
      await client.until('some events', ({ events }) => events.length >= 60)
    }
    const log = new MemoryEventLog({ clock, history })
    await using lab = await StreamLab.start({ log, clock, options: { hub } })
    const last = await lab.listen({ query: `since=${cursorOf(clients.at(-1)!)}` })
    const { head } = await log.extent()
    await waitFor('the last event', () => seqsOf([...clients, last]).at(-1) === head)
    expect(seqsOf([...clients, last])).toEqual(upTo(head))
  })

  test('E-206 a client that was cut off before any event resumes, repeatedly', async () => {
    await using lab = await StreamLab.start()
    let client = await lab.listen()
    for (let round = 1; round <= 5; round += 1) {
      client.cut()
      await lab.log.append(newEvents(1, `${round}-`))
      await lab.settled()
      client = await lab.listen({ query: `since=${cursorOf(client)}` })
      // Cut again before anything new happens: from the second round on it has the one event it missed.
      await client.until('what it missed', ({ events }) => events.length === 1)
      expect(client.seqs).toEqual([round])
    }
  })

  test('E-207 R10 100 random cut points under load: no gap and no duplicate', async () => {
    const clock = new SystemClock()
    const log = new MemoryEventLog({ clock })
    const random = new SeededRandom(207)
    await log.append(newEvents(300, 'before-'))
    await using lab = await StreamLab.start({ log, clock, options: { hub } })
    const { epoch } = await log.extent()
    await using _writer = new Writer(log, random)
    const follow = async (): Promise<void> => {
      const { head } = await log.extent()
      const from = integerBetween(random, Math.max(0, head - 200), head)
      const client = await lab.listen({ query: `since=${epoch}:${from}` })
      await client.until('enough to have gone live', ({ seqs }) => (seqs.at(-1) ?? 0) > head + 20)
      client.cut()
      expect(client.seqs).toEqual(upTo(client.seqs.at(-1)!, from + 1))
      expect(client.events.map(({ n }) => n)).toEqual(upTo(client.events.length))
    }
    for (let round = 0; round < 10; round += 1) await Promise.all(Array.from({ length: 10 }, follow))
  })
})

describe('what is lost', () => {
  test('E-205 R6 when history is lost, every client is told, and goes on in the new one if it wants', async () => {
    const clock = new SystemClock()
    const history = new MemoryHistory(new SystemIds())
    const log = new MemoryEventLog({ clock, history })
    await using lab = await StreamLab.start({ log, clock, options: { hub } })
    await log.append(newEvents(50))
    await lab.settled()
    const before = await log.extent()
    const ending = [await lab.listen(), await lab.listen({ query: 'since=earliest&event=none.*' })]
    const staying = await lab.listen({ query: 'since=earliest&on_reset=continue' })
    await staying.until('the old events', ({ events }) => events.length === 50)
    history.wipe()
    await log.append(newEvents(3, 'new-'))
    const { epoch } = await log.extent()
    expect(epoch).not.toBe(before.epoch)
    for (const client of ending) {
      expect(await client.untilClosed()).toEqual({ code: 4410, reason: 'epoch_changed' })
      expect(client.frames.at(-1)).toMatchObject({ type: 'reset', reason: 'epoch_changed', epoch, oldest: 1 })
    }
    await staying.until('the new events', ({ events }) => events.length === 53)
    expect(staying.seqs).toEqual([...upTo(50), 1, 2, 3])
    expect(staying.events.at(-1)).toMatchObject({ epoch, n: 53 })
  })

  test('R6 a log that says again which history it is costs nobody anything', async () => {
    const clock = new SystemClock()
    const log = new (class extends MemoryEventLog {
      override async *tail(...args: Parameters<MemoryEventLog['tail']>): ReturnType<typeof repeated> {
        yield* repeated(super.tail(...args), await this.extent())
      }
    })({ clock })
    await log.append(newEvents(5))
    await using lab = await StreamLab.start({ log, clock, options: { hub } })
    const client = await lab.listen({ query: 'since=earliest' })
    await log.append(newEvents(5, 'more-'))
    await client.until('everything', ({ events }) => events.length === 10)
    const late = await lab.listen({ query: `since=${cursorOf(client)}` })
    expect(late.control('hello')).toMatchObject([{ resumed: true }])
    const fresh = await lab.listen()
    expect(fresh.control('hello')).toMatchObject([{ head: 10, replay_from: null }])
    expect(client.seqs).toEqual(upTo(10))
    expect(client.control('reset')).toEqual([])
  })

  test('R11 a client whose rest the retention has dropped while it read is told', async () => {
    const clock = new SystemClock()
    let dropped = false
    class Trimmed extends MemoryEventLog {
      override async read(query: { after: number; limit: number }): ReturnType<MemoryEventLog['read']> {
        const events = await super.read(query)
        return dropped ? events.filter(({ seq }) => seq > 90) : events
      }
      override async extent(): ReturnType<MemoryEventLog['extent']> {
        const extent = await super.extent()
        return dropped ? { ...extent, oldest: 91 } : extent
      }
    }
    const log = new Trimmed({ clock })
    await log.append(newEvents(100))
    await using lab = await StreamLab.start({ log, clock, options: { hub } })
    const { epoch } = await log.extent()
    // Its place is found while everything is there, and its first page asked for afterwards.
    const client = lab.connect({ query: `since=${epoch}:30&on_reset=continue` })
    await client.until('hello', ({ frames }) => frames.length > 0)
    dropped = true
    await client.until('the last event', ({ seqs }) => seqs.at(-1) === 100)
    const reset = client.control('reset')[0]
    const after = client.seqs.slice(client.seqs.indexOf(91))
    expect(after).toEqual(upTo(100, 91))
    expect(reset === undefined || reset['reason'] === 'cursor_expired').toBe(true)
  })
})

describe('a log in trouble', () => {
  /** Fails to be read as often as is said. */
  class Troubled extends MemoryEventLog {
    failures = 0
    override async read(query: { after: number; limit: number }): ReturnType<MemoryEventLog['read']> {
      if (this.failures > 0) {
        this.failures -= 1
        throw new EventLogUnavailableError('gone for a while')
      }
      return await super.read(query)
    }
  }

  test('R8 a replay waits for a log that cannot be read, and goes on', async () => {
    const clock: Clock = new SystemClock()
    const log = new Troubled({ clock })
    await log.append(newEvents(100))
    await using lab = await StreamLab.start({ log, clock, options: { hub: { ...hub, sweepMs: 5 } } })
    log.failures = 3
    const client = await lab.listen({ query: 'since=earliest' })
    await client.until('everything', ({ events }) => events.length === 100)
    expect(client.seqs).toEqual(upTo(100))
    expect(log.failures).toBe(0)
  })
})

describe('a log that stops telling', () => {
  class Interrupted extends MemoryEventLog {
    interruption = new AbortController()
    override async *tail(...[from, { signal }]: Parameters<MemoryEventLog['tail']>): AsyncGenerator<TailNews> {
      yield* super.tail(from, { signal: AbortSignal.any([signal, this.interruption.signal]) })
      if (!signal.aborted) throw new EventLogUnavailableError('gone for good')
    }
  }

  test('R8 the node says that it is not ready, its clients stay, and it looks for the log again', async () => {
    const clock = new SystemClock()
    const log = new Interrupted({ clock })
    await using lab = await StreamLab.start({ log, clock })
    const client = await lab.listen()
    lab.service.hub.assertReady()
    log.interruption.abort()
    const trouble = (): string => {
      try {
        lab.service.hub.assertReady()
        return ''
      } catch (error) {
        return String(error)
      }
    }
    await waitFor('the trouble', () => trouble().includes('gone for good'))
    await log.append(newEvents(3))
    log.interruption = new AbortController()
    await client.until('what came meanwhile', ({ events }) => events.length === 3)
    expect(trouble()).toBe('')
    expect(client.seqs).toEqual([1, 2, 3])
  })
})

test('E-222 100,000 events before the first client leave no trace, and it gets only what it asks for', async () => {
  const clock = new SystemClock()
  const log = new MemoryEventLog({ clock })
  await using lab = await StreamLab.start({ log, clock })
  for (let batch = 0; batch < 200; batch += 1) await log.append(newEvents(500, `${batch}-`))
  await lab.settled()
  expect(lab.service.hub.bufferedBytes).toBe(0)
  const [live, late] = [await lab.listen(), await lab.listen({ query: `since=${(await log.extent()).epoch}:99990` })]
  await log.append(newEvents(2, 'new-'))
  await late.until('the rest', ({ events }) => events.length === 12)
  await live.until('the news', ({ events }) => events.length === 2)
  expect([live.seqs, late.seqs]).toEqual([upTo(100_002, 100_001), upTo(100_002, 99_991)])
  expect(lab.service.hub.bufferedBytes).toBeLessThan(1024 * 1024)
})
