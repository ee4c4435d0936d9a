import type { Random } from '../../../packages/mainstay/src/core/random.ts'
import type { RigProcess } from '../../../packages/mainstay/src/pool/testing/rig.ts'

/** Something that may happen to a client in one step. */
type Step = 'idle' | 'waiting' | 'holding'

/** How a request ended, as its client was told; `unknown` while it was not, and for ever when the client was killed. */
export type RequestEnd = 'unknown' | 'granted' | 'refused' | 'cancelled' | 'expired'

export interface AskedRequest {
  end: RequestEnd
  /** Why it got nothing, in the words of the pool. */
  reason: string
  /** Whether the pool has ever answered that it waits. */
  accepted: boolean
}

/** What every client counts on, seen by somebody who sees all of them. */
export interface LoadBooks {
  /** Machines by name with the client that believes to hold them. */
  readonly held: Map<string, string>
  readonly violations: string[]
  readonly requests: Map<string, AskedRequest>
  /** Acquires, signs of life, releases, cancellations, holds, drains, deletions. */
  operations: number
}

export function newBooks(): LoadBooks {
  return {
    held: new Map(),
    violations: [],
    requests: new Map(),
    operations: 0,
  }
}

export interface ClientOptions {
  readonly id: string
  readonly owner: string
  readonly random: Random
  readonly now: () => number
  readonly books: LoadBooks
  /** How long a lease lasts, by which the client itself knows when it is over. */
  readonly leaseMs: number
  /** Which groups its requests may be served from, by turns; left out where any will do. */
  readonly groups?: readonly (readonly string[] | undefined)[]
}

/**
 * A client of the pool, driven from outside: it asks, waits, works with signs of life, gives back, changes its mind, or is
 * killed and says nothing any more. Whatever process answers, and whether an answer is lost, it asks again.
 */
export class LoadClient {
  readonly #options: ClientOptions
  #step: Step = 'idle'
  #request = 0
  #requestId = ''
  #waitUntil: number | null = null
  #lease: { readonly name: string; readonly token: string; until: number; releaseAt: number } | null = null

  constructor(options: ClientOptions) {
    this.#options = options
  }

  get owner(): string {
    return this.#options.owner
  }

  get waitsFor(): string | null {
    return this.#step === 'waiting' ? this.#requestId : null
  }

  get holds(): boolean {
    return this.#lease !== null
  }

  /** Kill -9: it forgets everything. Nobody gives its machine back. @returns whether it waited or held something */
  kill(): boolean {
    const busy = this.#step !== 'idle'
    if (this.#lease !== null) this.#letGo()
    this.#step = 'idle'
    return busy
  }

  /** One step with a process of the pool; what fails is tried again in a later one. */
  async act(process: RigProcess, { finish }: { readonly finish: boolean }): Promise<void> {
    this.#forgetOverdue()
    try {
      if (this.#step === 'idle' && !finish) await this.#ask(process)
      else if (this.#step === 'waiting') await this.#look(process, finish)
      else if (this.#step === 'holding') await this.#work(process, finish)
    } catch (error) {
      this.#failed(error)
    }
  }

  async #ask(process: RigProcess): Promise<void> {
    const { id, random, now } = this.#options
    this.#request += 1
    this.#requestId = `${id}-${this.#request}`
    const { books } = this.#options
    books.requests.set(this.#requestId, { end: 'unknown', reason: '', accepted: false })
    // One in ten does not wait at all.
    const waitMs = random.next() < 0.1 ? undefined : Math.floor(random.next() * 60_000)
    this.#waitUntil = waitMs === undefined ? null : now() + waitMs
    this.#step = 'waiting'
    await this.#acquire(process, waitMs)
  }

  async #acquire(process: RigProcess, waitMs: number | undefined): Promise<void> {
    const { owner, random, now, books, groups = [] } = this.#options
    books.operations += 1
    const from = groups[this.#request % groups.length]
    const wish = {
      ...(from === undefined ? {} : { groups: from }),
      arch: this.#request % 3 === 0 ? 'arm' : undefined,
      requestId: this.#requestId,
      owner,
      worker: this.#options.id,
      sandbox: `s${this.#request % 2}`,
      priority: this.#request % 7 === 0 ? 100 : 0,
      preemptible: this.#request % 5 === 0,
      waitMs,
    }
    const options = { signal: AbortSignal.timeout(60_000), untilMs: now() }
    this.#take(await process.manager.acquire(wish, options), random)
  }

  async #look(process: RigProcess, finish: boolean): Promise<void> {
    const { random, now, books } = this.#options
    if (!finish && random.next() < 0.03) {
      books.operations += 1
      await process.operator.cancel(this.#requestId, 'changed its mind')
      this.#end('cancelled', 'changed its mind')
      return
    }
    await this.#acquire(process, this.#waitUntil === null ? undefined : Math.max(0, this.#waitUntil - now()))
  }

  #take(acquired: Awaited<ReturnType<RigProcess['manager']['acquire']>>, random: Random): void {
    const { books, id, now } = this.#options
    if (acquired.outcome === 'waiting') {
      books.requests.get(this.#requestId)!.accepted = true
      return
    }
    const [lease] = acquired.leases
    const { name } = lease!.vm
    const other = books.held.get(name)
    if (other !== undefined && other !== id) books.violations.push(`${name} is held by ${other} and by ${id}`)
    books.held.set(name, id)
    this.#end('granted', '')
    this.#lease = { name, token: lease!.token, until: lease!.expiresAt, releaseAt: now() + random.next() * 20_000 }
    this.#step = 'holding'
  }

  async #work(process: RigProcess, finish: boolean): Promise<void> {
    const { now, books, random } = this.#options
    const lease = this.#lease!
    books.operations += 1
    if (finish || now() >= lease.releaseAt) {
      // From here on it does not work on the machine any more, whether the answer arrives or not.
      this.#stopUsing()
      lease.releaseAt = 0
      await process.manager.release({ ...lease, failed: random.next() < 0.05 })
      this.#letGo()
      this.#step = 'idle'
      return
    }
    lease.until = (await process.manager.heartbeat(lease)).expiresAt
  }

  #stopUsing(): void {
    const { books, id } = this.#options
    const { name } = this.#lease!
    if (books.held.get(name) === id) books.held.delete(name)
  }

  #letGo(): void {
    this.#stopUsing()
    this.#lease = null
  }

  /** A client whose signs of life did not arrive knows by itself when its lease is over. */
  #forgetOverdue(): void {
    if (this.#lease === null || this.#options.now() < this.#lease.until) return
    this.#letGo()
    this.#step = 'idle'
  }

  #end(end: RequestEnd, reason: string): void {
    Object.assign(this.#options.books.requests.get(this.#requestId)!, { end, reason })
    this.#step = 'idle'
  }

  #failed(error: unknown): void {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    const { books } = this.#options
    switch (code) {
      case 'MS_TEST_STORE_AWAY':
        return
      case 'MS_POOL_LEASE_LOST':
      case 'MS_POOL_VM_NOT_FOUND':
        this.#letGo()
        this.#step = 'idle'
        return
      case 'MS_POOL_REQUEST_REFUSED':
        // Served while the answer was lost, and its lease has ended since; or it waited for long enough.
        this.#end('expired', String(error))
        return
      case 'MS_POOL_REQUEST_ENDED':
      case 'MS_POOL_REQUEST_NOT_FOUND':
        // It was served, or ended, in the moment in which it changed its mind: the next look says which.
        return
      case 'MS_POOL_UNAVAILABLE':
        this.#end('refused', String(error))
        return
      default:
        books.violations.push(`${this.#options.id}: ${String(error)}`)
        this.#step = 'idle'
    }
  }
}
