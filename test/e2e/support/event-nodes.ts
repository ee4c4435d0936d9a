import { randomUUID } from 'node:crypto'

import { Cluster, type ManagedServer } from '@mainstay/testkit'
import { serveSpec } from 'mainstay/testkit'

import { StreamClient } from '../../../packages/mainstay/src/events/testing/stream-client.ts'
import { waitUntil } from '../../real/lab/wait-until.ts'

/** Generous, because a loaded machine is no reason to fail. */
const PATIENCE_MS = 60_000

const SMALL = { compute: { simulated_hosts: 1, simulated_guests: 1 }, log: { level: 'warn' } }

/** Several `mainstay serve` on one event log in a real Redis. */
export class EventNodes implements AsyncDisposable {
  readonly #cluster: Cluster
  readonly redis: ManagedServer
  readonly nodes: readonly ManagedServer[]

  private constructor(cluster: Cluster, redis: ManagedServer, nodes: readonly ManagedServer[]) {
    this.#cluster = cluster
    this.redis = redis
    this.nodes = nodes
  }

  static async start(count: number, stream: Readonly<Record<string, unknown>> = {}): Promise<EventNodes> {
    const cluster = await Cluster.create({ name: 'events' })
    try {
      const redis = cluster.component('redis')
      await redis.start()
      const events = { store: 'redis', redis_url: `redis://127.0.0.1:${redis.port}/0`, stream }
      const names = Array.from({ length: count }, (_, index) => `node-${index + 1}`)
      for (const name of names) {
        cluster.add(serveSpec({ name, roles: ['api', 'events'], config: { ...SMALL, events }, dependsOn: ['redis'] }))
      }
      await cluster.startAll()
      return new EventNodes(
        cluster,
        redis,
        names.map((name) => cluster.get(name)),
      )
    } catch (error) {
      await cluster.dispose({ failed: true })
      throw error
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cluster.dispose()
  }
}

/** Reports events to the nodes in turn, several at a time, and repeats a report until some node has taken it. */
export class Reporter implements AsyncDisposable {
  /** Ids of events that a node has acknowledged. */
  readonly acknowledged: string[] = []
  readonly #urls: () => readonly string[]
  readonly #extra: string
  readonly #stopping = new AbortController()
  readonly #running: Promise<unknown>

  constructor(urls: () => readonly string[], { lanes = 4, extraBytes = 250 } = {}) {
    this.#urls = urls
    this.#extra = 'x'.repeat(extraBytes)
    this.#running = Promise.all(Array.from({ length: lanes }, async (_, lane) => await this.#report(lane)))
  }

  /** Waits until so many more were acknowledged. */
  async more(count: number): Promise<void> {
    const wanted = this.acknowledged.length + count
    await waitUntil(() => this.acknowledged.length >= wanted, { timeoutMs: PATIENCE_MS, what: `${count} more events` })
  }

  /** Reports nothing new; what is on its way is acknowledged first. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #report(lane: number): Promise<void> {
    for (let turn = lane; !this.#stopping.signal.aborted; turn += 1) {
      const id = randomUUID()
      const what = `the event ${id} to be taken`
      await waitUntil(async () => await this.#post(id, turn++), { timeoutMs: PATIENCE_MS, what })
      this.acknowledged.push(id)
    }
  }

  /** Settles with false when this node does not take it; the next one is asked. */
  async #post(id: string, turn: number): Promise<boolean> {
    const urls = this.#urls()
    const body = {
      priority: 'INFO',
      event_type: 'baremetal.node.power_set.end',
      timestamp: new Date().toISOString(),
      publisher_id: 'ironic-conductor.test',
      message_id: id,
      payload: {
        'ironic_object.data': { name: 'node-1', uuid: '11111111-1111-4111-8111-111111111111', power_state: 'power on' },
        extra: this.#extra,
      },
    }
    const response = await fetch(`${urls[turn % urls.length]!}/v1/notifications/baremetal`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(20_000),
    })
    if (response.ok) return true
    const text = await response.text()
    if (response.status < 500) throw new Error(`The report was refused with ${response.status}: ${text}`)
    return false
  }
}

/** A client that comes back to one node or another and goes on where it was. */
export class Follower implements Disposable {
  readonly connections: StreamClient[] = []
  readonly #query: string
  /** What it has to tell to go on; hello gives it before any event. */
  #cursor: string | undefined

  constructor(query = '') {
    this.#query = query
  }

  /** All places that it was shown, over all connections. */
  get seqs(): number[] {
    return this.connections.flatMap(({ seqs }) => seqs)
  }

  get ids(): string[] {
    return this.connections.flatMap(({ events }) => events.map(({ id }) => id as string))
  }

  get current(): StreamClient {
    return this.connections.at(-1)!
  }

  /** Connects, and again until a node lets it in. */
  async connect(url: () => string): Promise<StreamClient> {
    this.#remember()
    return await waitUntil(
      async () => {
        const since = this.#cursor === undefined ? '' : `since=${encodeURIComponent(this.#cursor)}&`
        const client = new StreamClient(url(), { query: since + this.#query })
        await client.hello().catch((error: unknown) => {
          // The node is starting, or going down: it is asked again.
          client.cut()
          throw error
        })
        this.connections.push(client)
        return client
      },
      { timeoutMs: PATIENCE_MS, what: 'a node that lets the client in' },
    )
  }

  /** The network between is cut. */
  cut(): void {
    this.current.cut()
    this.#remember()
  }

  /** Waits until it was shown a place. */
  async until(seq: number): Promise<void> {
    await waitUntil(() => (this.seqs.at(-1) ?? 0) >= seq, { timeoutMs: PATIENCE_MS, what: `the event ${seq}` })
  }

  [Symbol.dispose](): void {
    for (const connection of this.connections) connection.cut()
  }

  #remember(): void {
    const last = this.connections.at(-1)
    this.#cursor = last?.events.at(-1)?.cursor ?? (last?.frames[0]?.['cursor'] as string | undefined) ?? this.#cursor
  }
}
