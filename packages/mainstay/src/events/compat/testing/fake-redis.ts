import type {
  BridgeFrame,
  BridgeRedis,
  BridgeRedisFactory,
  BridgeRedisSettings,
  BridgeSubscriber,
} from '../bridge-redis.ts'

type Answer<T> = T | Error | (() => T | Promise<T>)

async function answer<T>(script: Answer<T>[], otherwise: T): Promise<T> {
  const next = script.length === 0 ? otherwise : script.shift()!
  if (next instanceof Error) throw next
  return typeof next === 'function' ? await (next as () => T | Promise<T>)() : next
}

/** A subscription that answers as it is told, one poll after another. */
export class FakeSubscriber implements BridgeSubscriber {
  readonly subscribed: string[] = []
  readonly polls: number[] = []
  closed = 0
  readonly subscribeScript: Answer<void>[]
  readonly pollScript: Answer<BridgeFrame | null>[]
  closeFailure: Error | undefined

  constructor(script: { subscribe?: Answer<void>[]; poll?: Answer<BridgeFrame | null>[] } = {}) {
    this.subscribeScript = script.subscribe ?? []
    this.pollScript = script.poll ?? []
  }

  async subscribe(channel: string): Promise<void> {
    this.subscribed.push(channel)
    await answer(this.subscribeScript, undefined)
  }

  async poll({ timeoutMs }: { timeoutMs: number }): Promise<BridgeFrame | null> {
    this.polls.push(timeoutMs)
    return await answer(this.pollScript, null)
  }

  async close(): Promise<void> {
    this.closed += 1
    if (this.closeFailure !== undefined) throw this.closeFailure
  }
}

/** A Redis that answers as it is told. */
export class FakeRedis implements BridgeRedis {
  readonly published: { channel: string; text: string }[] = []
  pings = 0
  closed = 0
  readonly pingScript: Answer<void>[]
  readonly publishScript: Answer<number>[]
  readonly handle: FakeSubscriber

  constructor(script: { ping?: Answer<void>[]; publish?: Answer<number>[]; subscriber?: FakeSubscriber } = {}) {
    this.pingScript = script.ping ?? []
    this.publishScript = script.publish ?? []
    this.handle = script.subscriber ?? new FakeSubscriber()
  }

  async ping(): Promise<void> {
    this.pings += 1
    await answer(this.pingScript, undefined)
  }

  async publish(channel: string, text: string): Promise<number> {
    this.published.push({ channel, text })
    return await answer(this.publishScript, 1)
  }

  subscriber(): FakeSubscriber {
    return this.handle
  }

  async close(): Promise<void> {
    this.closed += 1
  }
}

/** Hands out the Redis of each connection in turn; there is none when they are used up. */
export class FakeRedisServers {
  readonly settings: BridgeRedisSettings[] = []
  readonly #servers: FakeRedis[]

  constructor(...servers: FakeRedis[]) {
    this.#servers = servers
  }

  readonly factory: BridgeRedisFactory = (settings) => {
    this.settings.push(settings)
    const next = this.#servers.shift()
    if (next === undefined) throw new Error('connection refused')
    return next
  }
}
