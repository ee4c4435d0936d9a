import { createServer, type Server, type Socket } from 'node:net'
import { leasePort, type PortLease } from '../ports/port-lease.ts'
import type { ReaperClient } from '../reaper/reaper-client.ts'
import { Link, type LinkOwner } from './link.ts'
import { checkToxic, seededRandom, type Direction, type Toxic, type ToxicOptions } from './toxics.ts'
import { acceptWide, connectWide } from './wide-socket.ts'

/** Where a proxy forwards to; asked for each connection, because a server's port may change. */
export type ProxyTarget = () => { readonly host: string; readonly port: number }

export interface ProxyCounters {
  connections: number
  /** Forwarded, both directions. */
  bytes: number
  resets: number
}

/** A toxic at work; `remove` restores the connection as it was. */
export interface ActiveToxic {
  readonly toxic: Toxic
  remove(): void
}

interface Placed {
  readonly toxic: Toxic
  readonly directions: readonly Direction[]
  readonly toxicity: number
  /** Drawn when the connection opened, so that the same seed gives the same connections. */
  readonly affected: WeakMap<Pair, boolean>
}

/**
 * A TCP proxy that can misbehave, within this process.
 *
 *   up ──down()──▶ down (new connections refused, old ones reset) ──up()──▶ up
 *   up ──blackhole()──▶ accepts, forwards nothing ──up()──▶ up
 *
 * Its port is leased, so that it stays the proxy's own while it is down. Source: testkit.md A12.1.
 */
export class TcpProxy implements AsyncDisposable {
  readonly counters: ProxyCounters = { connections: 0, bytes: 0, resets: 0 }
  readonly #target: ProxyTarget
  readonly #lease: PortLease
  readonly #note: (text: string) => void
  readonly #random: () => number
  readonly #pairs = new Set<Pair>()
  readonly #toxics: Placed[] = []
  #server: Server | undefined
  #opening: Promise<void> | undefined
  #blackhole = false

  private constructor(target: ProxyTarget, lease: PortLease, note: (text: string) => void, seed: number) {
    this.#target = target
    this.#lease = lease
    this.#note = note
    this.#random = seededRandom(seed)
  }

  /** @param options.seed of everything random: jitter and toxicity. Default 1. */
  static async open(
    target: ProxyTarget,
    options: { note?: (text: string) => void; seed?: number; reaper?: ReaperClient } = {},
  ): Promise<TcpProxy> {
    const lease = await leasePort(options.reaper === undefined ? {} : { reaper: options.reaper })
    const proxy = new TcpProxy(target, lease, options.note ?? (() => undefined), options.seed ?? 1)
    await proxy.up()
    return proxy
  }

  get host(): string {
    return '127.0.0.1'
  }

  get port(): number {
    return this.#lease.port
  }

  get url(): string {
    return `http://${this.host}:${this.port}`
  }

  get openConnections(): number {
    return this.#pairs.size
  }

  /** Adds a fault to living and future connections. Several may be combined. Throws TK_BAD_SPEC for what is no fault. */
  add(toxic: Toxic, options: ToxicOptions = {}): ActiveToxic {
    checkToxic(toxic, options)
    const { direction, toxicity = 1 } = options
    const placed: Placed = {
      toxic,
      directions: direction === undefined ? ['upstream', 'downstream'] : [direction],
      toxicity,
      affected: new WeakMap(),
    }
    this.#toxics.push(placed)
    this.#note(`toxic ${JSON.stringify(toxic)}`)
    for (const pair of this.#pairs) this.#apply(placed, pair)
    return {
      toxic,
      remove: () => {
        const index = this.#toxics.indexOf(placed)
        if (index >= 0) this.#toxics.splice(index, 1)
        this.#note(`toxic removed: ${toxic.type}`)
      },
    }
  }

  /** Removes all toxics and the black hole, and listens again. */
  async up(): Promise<void> {
    this.#blackhole = false
    this.#toxics.length = 0
    if (this.#server !== undefined) return
    // Two at once open one.
    this.#opening ??= this.#listen()
    try {
      await this.#opening
    } finally {
      this.#opening = undefined
    }
  }

  async #listen(): Promise<void> {
    // allowHalfOpen: a half-closed connection stays half-closed on the other side.
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true }, (client) =>
      this.#accept(client),
    )
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ host: this.host, port: this.port, exclusive: true }, resolve)
    })
    server.unref()
    this.#server = server
    this.#note('proxy up')
  }

  /** New connections are refused, living ones are reset. */
  async down(): Promise<void> {
    this.#note('proxy down')
    await this.#opening
    const server = this.#server
    this.#server = undefined
    for (const pair of this.#pairs) pair.reset()
    if (server === undefined) return
    await new Promise<void>((resolve) => {
      server.close(() => resolve())
    })
  }

  /** Accepts and answers nothing, as a host whose packets are dropped would; living connections too. */
  blackhole(): void {
    this.#note('proxy black hole')
    this.#blackhole = true
  }

  async close(): Promise<void> {
    await this.down()
    this.#lease.release()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #accept(client: Socket): void {
    this.counters.connections += 1
    const pair = new Pair(client, this.#target(), {
      toxics: (direction, of) =>
        this.#toxics.length === 0
          ? nothing
          : this.#toxics
              .filter((p) => p.directions.includes(direction) && p.affected.get(of) === true)
              .map((p) => p.toxic),
      isBlackhole: () => this.#blackhole,
      random: this.#random,
      onReset: () => (this.counters.resets += 1),
      onBytes: (bytes) => (this.counters.bytes += bytes),
      onClose: (of) => this.#pairs.delete(of),
    })
    this.#pairs.add(pair)
    for (const placed of this.#toxics) this.#apply(placed, pair)
    pair.open()
  }

  #apply(placed: Placed, pair: Pair): void {
    const affected = this.#random() < placed.toxicity
    placed.affected.set(pair, affected)
    const { toxic } = placed
    if (!affected) return
    if (toxic.type === 'resetPeer') pair.later(toxic.afterMs, () => this.#toxics.includes(placed) && pair.reset())
    if (toxic.type === 'timeout' && toxic.timeoutMs > 0) {
      pair.later(toxic.timeoutMs, () => this.#toxics.includes(placed) && pair.close())
    }
  }
}

const nothing: readonly Toxic[] = []

interface PairOwner {
  toxics(direction: Direction, of: Pair): readonly Toxic[]
  isBlackhole(): boolean
  random(): number
  onReset(): void
  onBytes(bytes: number): void
  onClose(of: Pair): void
}

/** A client's connection and the one opened to the server for it. */
class Pair {
  readonly #client: Socket
  readonly #server: Socket
  readonly #owner: PairOwner
  readonly #upstream: Link
  readonly #downstream: Link
  readonly #timers = new Set<NodeJS.Timeout>()

  /** @param accepted paused */
  constructor(accepted: Socket, target: ReturnType<ProxyTarget>, owner: PairOwner) {
    this.#owner = owner
    this.#client = acceptWide(accepted, (chunk) => this.#upstream.receive(chunk))
    this.#server = connectWide(target, (chunk) => this.#downstream.receive(chunk))
    this.#upstream = new Link(this.#client, this.#server, this.#linkOwner('upstream'))
    this.#downstream = new Link(this.#server, this.#client, this.#linkOwner('downstream'))
    for (const socket of [this.#client, this.#server]) {
      // The other side sees the same end: an error becomes a reset, a close a close.
      socket.once('error', () => this.reset())
      socket.once('close', () => this.#closed())
    }
  }

  /** Begins to carry. */
  open(): void {
    this.#client.resume()
    this.#server.resume()
  }

  reset(): void {
    if (this.#client.destroyed && this.#server.destroyed) return
    this.#owner.onReset()
    this.#client.resetAndDestroy()
    this.#server.resetAndDestroy()
  }

  close(): void {
    this.#client.destroy()
    this.#server.destroy()
  }

  later(ms: number, work: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      work()
    }, ms)
    timer.unref()
    this.#timers.add(timer)
  }

  #closed(): void {
    if (!this.#client.destroyed || !this.#server.destroyed) {
      // With both directions ended, or one side gone, there is nothing left to carry.
      if (this.#client.destroyed) this.#server.destroy()
      else if (this.#server.destroyed && this.#server.readableEnded) this.#client.end()
      else this.#client.destroy()
      return
    }
    for (const timer of this.#timers) clearTimeout(timer)
    this.#upstream.abort()
    this.#downstream.abort()
    this.#owner.onClose(this)
  }

  #linkOwner(direction: Direction): LinkOwner {
    const owner = this.#owner
    return {
      toxics: () => owner.toxics(direction, this),
      get blackhole() {
        return owner.isBlackhole()
      },
      random: () => owner.random(),
      reset: () => this.reset(),
      close: () => this.close(),
      count: (bytes) => owner.onBytes(bytes),
    }
  }
}
