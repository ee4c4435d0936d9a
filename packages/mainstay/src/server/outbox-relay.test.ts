import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { SystemClock } from '../core/clock.ts'
import { withDeadline } from '../core/deadline.ts'
import type { MainstayEvent } from '../core/event.ts'
import { silentLogger } from '../core/logging.ts'
import { TaskGroup } from '../core/task-group.ts'
import { SqliteStore, readOutbox, writeToOutbox, type Store } from '../store/index.ts'
import { OutboxRelay, type OutboxRelayOptions } from './outbox-relay.ts'

const clock = new SystemClock()
const logger = silentLogger()
const NEVER_MS = 3_600_000

function event(id: string | number): MainstayEvent {
  const about = { nodeName: null, resourceId: null, projectId: null, correlationId: null }
  return { id: String(id), type: 'test.happened', severity: 'info', occurredAt: 1, ...about, payload: { id } }
}

class Ground implements AsyncDisposable {
  readonly store: Store
  readonly delivered: string[] = []
  /** What delivering runs into; nothing unless a test says so. */
  trouble: ((ids: readonly string[]) => Promise<void>) | undefined
  readonly #directory: string
  #tasks = new TaskGroup({ clock, logger })

  private constructor(directory: string, store: Store) {
    this.#directory = directory
    this.store = store
  }

  static async open(): Promise<Ground> {
    const directory = await mkdtemp(join(tmpdir(), 'mainstay-relay-'))
    const store = SqliteStore.open({ path: join(directory, 'mainstay.db') })
    await store.migrate()
    return new Ground(directory, store)
  }

  relay(options: Partial<OutboxRelayOptions> = {}): OutboxRelay {
    const deliver = async (events: readonly MainstayEvent[]): Promise<void> => {
      const ids = events.map(({ id }) => id)
      await this.trouble?.(ids)
      this.delivered.push(...ids)
    }
    const relay = new OutboxRelay({
      store: this.store,
      clock,
      logger,
      tasks: this.#tasks,
      deliver,
      pollMs: NEVER_MS,
      retryMs: 10,
      ...options,
    })
    relay.start()
    return relay
  }

  async write(...ids: readonly (string | number)[]): Promise<void> {
    await this.store.write(async (queries) => {
      for (const id of ids) await writeToOutbox(queries, event(id))
    })
  }

  async waiting(): Promise<string[]> {
    return (await readOutbox(this.store.read, 10_000)).map((row) => row.event.id)
  }

  async untilEmpty(): Promise<void> {
    await withDeadline({ clock, what: 'Emptying the outbox', timeoutMs: 30_000 }, async (signal) => {
      while ((await this.waiting()).length > 0) await clock.sleep(2, { signal })
    })
  }

  /** As a process that ends. */
  async stop(): Promise<void> {
    await this.#tasks.stop({ timeoutMs: 10_000 })
    this.#tasks = new TaskGroup({ clock, logger })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
    await this.store.close()
    await rm(this.#directory, { recursive: true })
  }
}

test('events are carried in the order of their transactions, also those of an earlier run', async () => {
  await using ground = await Ground.open()
  await ground.write('old 1', 'old 2')
  const relay = ground.relay()
  await ground.untilEmpty()
  const given = Array.from({ length: 1200 }, (_, number) => `new ${number}`)
  for (let start = 0; start < given.length; start += 300) await ground.write(...given.slice(start, start + 300))
  relay.poke()
  await ground.untilEmpty()
  expect(ground.delivered).toEqual(['old 1', 'old 2', ...given])
})

test('an event is forgotten only after it was delivered', async () => {
  await using ground = await Ground.open()
  const seen: string[][] = []
  ground.trouble = async () => void seen.push(await ground.waiting())
  const relay = ground.relay()
  await ground.write('a', 'b')
  relay.poke()
  await ground.untilEmpty()
  expect(seen).toEqual([['a', 'b']])
})

test('a delivery that fails is tried again, in order, without being told to', async () => {
  await using ground = await Ground.open()
  let failures = 0
  ground.trouble = async () => {
    failures += 1
    if (failures <= 2) throw new Error('the log is away')
  }
  const relay = ground.relay()
  await ground.write('a')
  relay.poke()
  await ground.write('b')
  await ground.untilEmpty()
  expect(ground.delivered).toEqual(['a', 'b'])
  expect(failures).toBeGreaterThanOrEqual(3)
})

test('E-220 a process that ends between delivering and forgetting leaves the event to the next, which repeats it', async () => {
  await using ground = await Ground.open()
  const hang = Promise.withResolvers<void>()
  const reached = Promise.withResolvers<void>()
  const store: Store = Object.assign(Object.create(ground.store) as Store, {
    read: ground.store.read,
    write: async () => {
      reached.resolve()
      await hang.promise
      throw new Error('killed')
    },
  })
  const relay = ground.relay({ store })
  await ground.write('a')
  relay.poke()
  await reached.promise
  hang.resolve()
  await ground.stop()
  expect([ground.delivered, await ground.waiting()]).toEqual([['a'], ['a']])
  ground.relay()
  await ground.untilEmpty()
  expect(ground.delivered).toEqual(['a', 'a'])
})

test('events of other processes are found without being told', async () => {
  await using ground = await Ground.open()
  ground.relay({ pollMs: 10 })
  await ground.write('from elsewhere')
  await ground.untilEmpty()
  expect(ground.delivered).toEqual(['from elsewhere'])
})

test('an event without a change takes its turn behind those that wait', async () => {
  await using ground = await Ground.open()
  await ground.write('a')
  ground.trouble = async (ids) => {
    if (!ids.includes('alarm')) throw new Error('not yet')
  }
  const relay = ground.relay()
  relay.publish(event('alarm'))
  await ground.untilEmpty()
  expect(ground.delivered).toEqual(['a', 'alarm'])
})

test('where nobody takes events they stay for another process', async () => {
  await using ground = await Ground.open()
  const relay = ground.relay({ deliver: null, pollMs: 1 })
  relay.publish(event('a'))
  relay.poke()
  await withDeadline({ clock, what: 'Waiting for the event', timeoutMs: 30_000 }, async (signal) => {
    while ((await ground.waiting()).length === 0) await clock.sleep(2, { signal })
  })
  expect(ground.delivered).toEqual([])
})
