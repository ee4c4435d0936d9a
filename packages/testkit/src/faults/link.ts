import type { Socket } from 'node:net'
import { pauseMs } from '../clock.ts'
import type { Toxic } from './toxics.ts'

/** What a link asks its connection to do. */
export interface LinkOwner {
  /** The toxics that affect this direction of this connection now. */
  toxics(): readonly Toxic[]
  /** Nothing is forwarded: everything read is thrown away. */
  readonly blackhole: boolean
  random(): number
  reset(): void
  close(): void
  count(bytes: number): void
}

/**
 * One direction of a proxied connection.
 *
 * While no toxic is set, chunks go straight to the other socket, out of the memory into which they were read; it is read
 * into again when they are written. With toxics copies of them pass a queue that is worked off in order, one chunk at a
 * time; the source is not read while the queue is long or the other side is slow. Toxics may change at any time and hold
 * from the next chunk on.
 */
export class Link {
  readonly #from: Socket
  readonly #to: Socket
  readonly #owner: LinkOwner
  readonly #stop = new AbortController()
  readonly #queue: { chunk: Buffer; dueAt: number }[] = []
  #queued = 0
  #passed = 0
  #working = false
  #ended = false

  readonly #onWritten = (): void => this.#readOn()

  constructor(from: Socket, to: Socket, owner: LinkOwner) {
    this.#from = from
    this.#to = to
    this.#owner = owner
    from.once('end', () => {
      this.#ended = true
      void this.#work()
    })
  }

  abort(): void {
    this.#stop.abort()
  }

  /** Something has arrived. Its memory is the reader's. */
  receive(chunk: Buffer): void {
    if (this.#owner.blackhole) return
    const toxics = this.#owner.toxics()
    if (toxics.length === 0 && this.#queue.length === 0 && !this.#working) {
      this.#forward(chunk)
      return
    }
    this.#queue.push({ chunk: Buffer.from(chunk), dueAt: performance.now() + this.#latency(toxics) })
    this.#queued += chunk.length
    if (this.#queued >= queueLimit) this.#from.pause()
    void this.#work()
  }

  #latency(toxics: readonly Toxic[]): number {
    let sum = 0
    for (const toxic of toxics) {
      if (toxic.type === 'latency') sum += toxic.latencyMs + (this.#owner.random() * 2 - 1) * (toxic.jitterMs ?? 0)
    }
    return Math.max(0, sum)
  }

  async #work(): Promise<void> {
    if (this.#working) return
    this.#working = true
    try {
      for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
        const wait = next.dueAt - performance.now()
        if (wait > 0) await this.#pause(wait)
        await this.#deliver(next.chunk)
        this.#queued -= next.chunk.length
        this.#readOn()
      }
      if (this.#ended) await this.#finish()
    } finally {
      this.#working = false
    }
    // Something may have come in between the last look and here.
    if (this.#queue.length > 0) void this.#work()
  }

  async #deliver(chunk: Buffer): Promise<void> {
    const toxics = this.#owner.toxics()
    if (toxics.some((toxic) => toxic.type === 'timeout' || toxic.type === 'resetPeer')) return
    const slicer = toxics.find((toxic) => toxic.type === 'slicer')
    const bandwidth = toxics.find((toxic) => toxic.type === 'bandwidth')
    const size = slicer?.bytes ?? (bandwidth === undefined ? chunk.length : Math.max(1, bandwidth.kilobytesPerS * 10))
    for (let start = 0; start < chunk.length && !this.#stop.signal.aborted; start += size) {
      const piece = chunk.subarray(start, start + size)
      if (bandwidth !== undefined) await this.#throttle(piece.length, bandwidth.kilobytesPerS)
      if (!this.#passLimit(piece, toxics)) return
      if (slicer !== undefined) await this.#pause(slicer.delayMs)
    }
  }

  #paidUntil = 0

  /** Pays for the bytes in advance, against a running account: late timers do not add up. */
  async #throttle(bytes: number, kilobytesPerS: number): Promise<void> {
    const now = performance.now()
    this.#paidUntil = Math.max(this.#paidUntil, now - 50) + bytes / kilobytesPerS
    if (this.#paidUntil > now) await this.#pause(this.#paidUntil - now)
  }

  #passLimit(piece: Buffer, toxics: readonly Toxic[]): boolean {
    const limit = toxics.find((toxic) => toxic.type === 'limitData')
    const room = limit === undefined ? piece.length : limit.bytes - this.#passed
    if (room > 0) this.#forward(piece.subarray(0, room))
    if (room >= piece.length) return true
    this.#owner.close()
    return false
  }

  async #finish(): Promise<void> {
    const slow = this.#owner.toxics().find((toxic) => toxic.type === 'slowClose')
    if (slow !== undefined) await this.#pause(slow.delayMs)
    if (!this.#owner.blackhole && !this.#owner.toxics().some((toxic) => toxic.type === 'timeout')) this.#to.end()
  }

  #forward(piece: Buffer): void {
    if (this.#to.destroyed) return
    this.#passed += piece.length
    this.#owner.count(piece.length)
    this.#to.write(piece, this.#onWritten)
    if (this.#to.writableLength > 0) this.#from.pause()
  }

  #readOn(): void {
    if (this.#queued < queueLimit && this.#to.writableLength === 0) this.#from.resume()
  }

  async #pause(ms: number): Promise<void> {
    await pauseMs(ms, this.#stop.signal)
  }
}

const queueLimit = 1024 * 1024
