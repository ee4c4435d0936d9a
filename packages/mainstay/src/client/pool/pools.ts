import type { Clock } from '../../core/clock.ts'
import { withDeadline } from '../../core/deadline.ts'
import { isRetryable, TimeoutError } from '../../core/errors.ts'
import { isJsonObject, parseJson } from '../../core/json.ts'
import { randomUuid } from '../../core/uuid.ts'
import { unwrapBare, unwrapList } from '../body.ts'
import { UnexpectedAnswerError } from '../errors.ts'
import type { Answer, CallOptions, Transport } from '../transport.ts'
import { SseParser } from '../stream/sse-parser.ts'
import { LeaseLostError } from './errors.ts'
import { saysLeaseGone } from './lease-answer.ts'
import { wasGrantedWithin } from './granted-within.ts'
import { leaveQueue, type LeaveCalls } from './leave-queue.ts'
import { LEASE_SHARE, PoolLease } from './lease.ts'
import type {
  GrantedLease,
  PoolExplanation,
  PoolNews,
  PoolOverview,
  PoolPlan,
  PoolProvider,
  PoolRequest,
  PoolVm,
  PoolVmState,
  PoolWish,
  ReconcileReport,
} from './pool-record.ts'
import { pauseAfterPoll, wasQuick } from './poll-pace.ts'
import { isUndecided } from './undecided.ts'

/** The longest that one call of a wait lasts, in milliseconds; shorter than the time limit of a call. */
const POLL_MS = 20_000

/** The pause after a call of a wait that failed, in milliseconds. */
const AGAIN_MS = 1000

/** The longest that a caller is kept until what he gave up is given back, in milliseconds; also after a call without an answer. */
const LEAVING_MS = 10_000

/** The same after a call that was answered, if not by the pool, or whose connection broke, in milliseconds. */
const LEAVING_QUICKLY_MS = 2000

const POOLS = '/api/v1/pools'

export interface VmListOptions extends CallOptions {
  readonly group?: string | undefined
  readonly state?: PoolVmState | undefined
  readonly owner?: string | undefined
  readonly limit?: number | undefined
  readonly cursor?: string | undefined
}

/** Something that is said to have a reason. */
export interface Reasoned {
  readonly reason: string
}

/** What was granted, and when it was asked for, on the monotonic clock. */
interface Grant {
  readonly leases: readonly GrantedLease[]
  readonly sentAt: number
}

/** Calls on the pool. They throw what `Transport.send` throws. */
export class Pools {
  readonly #transport: Transport
  readonly #clock: Clock
  readonly #leaving: LeaveCalls = {
    cancel: async (id, reason, options) =>
      void (await this.#post(poolPath('requests', id, 'cancel'), { reason }, options)),
    granted: async (id, options) => await this.#granted(id, options),
    release: async (lease, options) => await this.release(lease, options),
  }

  constructor(transport: Transport, clock: Clock) {
    this.#transport = transport
    this.#clock = clock
  }

  /**
   * Takes one machine, waiting for it as long as the wish says. It sends signs of life by itself and is given back at the
   * end of the `await using` block.
   *
   * A wait survives a restart of the server. When the signal is aborted, the request leaves the queue, and what it was
   * granted since this call goes back before this rejects with the signal's reason. The same happens when no answer comes in
   * time, unless the wish has a `requestId`: nobody keeps a machine that its holder never heard of. That takes 2 s at the most, 10 s
   * after an abort or a call without an answer, and ends with a server that answers nothing but 5xx.
   *
   * Whoever gives a `requestId` may ask again with it, here or in another process, and gets the same machine. So a call with one
   * that fails without a definite answer gives nothing back: somebody may be at work with it already. A machine that nobody asks
   * for again goes back when its lease and the grace of its group are over.
   *
   * @throws MainstayApiError with status 409 when there is no machine (in time), 422 when there never can be one
   */
  async acquire(wish: PoolWish & { readonly count?: 1 }, options: CallOptions = {}): Promise<PoolLease> {
    const [lease] = await this.acquireMany(wish, options)
    if (lease === undefined) throw new UnexpectedAnswerError(`POST ${POOLS}/leases`, 'it grants nothing')
    return lease
  }

  /** As {@link acquire} for several machines at once, all or none. */
  async acquireMany(wish: PoolWish, options: CallOptions = {}): Promise<PoolLease[]> {
    const granted = await this.grant(wish, options)
    return granted.map((lease) => this.lease(lease))
  }

  /** A lease that shows life by itself, from one that was granted before. */
  lease(granted: GrantedLease): PoolLease {
    return new PoolLease(granted, this, this.#clock)
  }

  /**
   * Takes machines and leaves the signs of life to the caller; each lease lasts its `expiresInMs` from the return on.
   *
   * @throws as {@link acquire}
   */
  async grant(wish: PoolWish, options: CallOptions = {}): Promise<readonly GrantedLease[]> {
    options.signal?.throwIfAborted()
    const requestId = wish.requestId ?? randomUuid()
    const begunAt = this.#clock.monotonic()
    const until = begunAt + (wish.waitMs ?? 0)
    let quick = 0
    let queued = false
    try {
      for (;;) {
        const askedAt = this.#clock.monotonic()
        const left = Math.max(0, until - askedAt)
        const asked = { ...wish, requestId, ...(wish.waitMs === undefined ? {} : { waitMs: Math.ceil(left) }) }
        const answer = await this.#ask(asked, left, options)
        if (typeof answer === 'object') return await this.#certain(answer, options)
        queued ||= answer === 'waiting'
        quick = wasQuick(this.#clock.monotonic() - askedAt) ? quick + 1 : 0
        const pauseMs = answer === 'away' ? AGAIN_MS : pauseAfterPoll(quick)
        await this.#clock.sleep(pauseMs, { signal: options.signal })
      }
    } catch (error) {
      const left = options.signal?.aborted === true
      // An id that was made here is known to nobody else; under one that was given somebody may hold machines for long.
      const alone = wish.requestId === undefined
      if (left || (alone && isUndecided(error, { queued, waits: wish.waitMs !== undefined }))) {
        // A server that was too slow may still be about to grant it.
        const patient = !left && error instanceof TimeoutError
        const limitMs = left || patient ? LEAVING_MS : LEAVING_QUICKLY_MS
        // Who gives up while that is under way wants to go; who gave up before wants it to be done.
        const signal = left ? undefined : options.signal
        const isOurs = (lease: GrantedLease): boolean =>
          alone || wasGrantedWithin(lease, this.#clock.monotonic() - begunAt)
        await leaveQueue(this.#leaving, this.#clock, { requestId, patient, isOurs, limitMs, signal })
      }
      throw error
    }
  }

  /** @throws MainstayApiError, with status 409 or 404 when the lease is gone */
  async heartbeat(
    { name, token }: { readonly name: string; readonly token: string },
    options: CallOptions = {},
  ): Promise<{ readonly expiresInMs: number; readonly preemptInMs: number | null }> {
    const path = vmPath(name, 'heartbeat')
    const answer = await this.#post(path, { token }, { ...options, idempotent: true })
    const { expiresInMs, preemptInMs } = answer as { expiresInMs?: unknown; preemptInMs?: unknown }
    if (typeof expiresInMs !== 'number') throw new UnexpectedAnswerError(`POST ${path}`, 'it has no "expiresInMs"')
    return { expiresInMs, preemptInMs: typeof preemptInMs === 'number' ? preemptInMs : null }
  }

  async release(
    { name, token, failed = false }: { readonly name: string; readonly token: string; readonly failed?: boolean },
    options: CallOptions = {},
  ): Promise<PoolVm> {
    return (await this.#post(vmPath(name, 'release'), { token, failed }, options)) as PoolVm
  }

  /** Has a machine destroyed that its holder calls broken. */
  async giveUp(
    { name, token, reason }: { readonly name: string; readonly token: string; readonly reason: string },
    options: CallOptions = {},
  ): Promise<void> {
    await this.#post(vmPath(name, 'give-up'), { token, reason }, options)
  }

  /** Takes over the machine of a task whose worker is gone; null when there is none. */
  async reattach(
    body: { readonly taskId: string; readonly worker: string; readonly owner?: string },
    options: CallOptions = {},
  ): Promise<PoolLease | null> {
    const path = `${POOLS}/reattach`
    const sentAt = this.#clock.monotonic()
    const answer = await this.#transport.send({ method: 'POST', api: 'root', path, body, ...options })
    if (answer.body === undefined) return null
    const leases = [unwrapBare(answer, `POST ${path}`) as GrantedLease]
    const [lease] = await this.#certain({ leases, sentAt }, options)
    return lease === undefined ? null : this.lease(lease)
  }

  /** Machines in the order of their names. */
  async list(options: VmListOptions = {}): Promise<PoolVm[]> {
    return (await this.page(options)).vms
  }

  /** One page of machines, and where the next begins; null at the end. */
  async page(options: VmListOptions = {}): Promise<{ readonly vms: PoolVm[]; readonly cursor: string | null }> {
    const { signal, ...query } = options
    const path = `${POOLS}/vms`
    const answer = await this.#transport.send({ method: 'GET', api: 'root', path, query, signal })
    const { cursor } = unwrapBare(answer, `GET ${path}`) as { readonly cursor?: string | null }
    return { vms: unwrapList(answer, 'vms', `GET ${path}`) as PoolVm[], cursor: cursor ?? null }
  }

  async show(name: string, options: CallOptions = {}): Promise<PoolVm> {
    return (await this.#get(vmPath(name), options)) as PoolVm
  }

  async overview(options: CallOptions = {}): Promise<PoolOverview> {
    return (await this.#get(POOLS, options)) as PoolOverview
  }

  /** Requests that wait, in the order of their submission. */
  async requests(options: CallOptions & { readonly limit?: number | undefined } = {}): Promise<PoolRequest[]> {
    const { signal, limit } = options
    const path = `${POOLS}/requests`
    const answer = await this.#transport.send({ method: 'GET', api: 'root', path, query: { limit }, signal })
    return unwrapList(answer, 'requests', `GET ${path}`) as PoolRequest[]
  }

  async plan(options: CallOptions = {}): Promise<PoolPlan> {
    return (await this.#get(`${POOLS}/plan`, options)) as PoolPlan
  }

  /** Why a machine is not handed out, or a request waits. */
  async explain(subject: string, options: CallOptions = {}): Promise<PoolExplanation> {
    return (await this.#get(`${POOLS}/explain/${encodeURIComponent(subject)}`, options)) as PoolExplanation
  }

  async providers(options: CallOptions = {}): Promise<PoolProvider[]> {
    const path = `${POOLS}/providers`
    const answer = await this.#transport.send({ method: 'GET', api: 'root', path, ...options })
    return unwrapList(answer, 'providers', `GET ${path}`) as PoolProvider[]
  }

  /** Changes of machines and requests from now on, until the signal is aborted or the server ends them. */
  async *changes({ signal }: { readonly signal: AbortSignal }): AsyncGenerator<PoolNews> {
    const body = await this.#transport.stream({ path: `${POOLS}/changes`, signal })
    const parser = new SseParser()
    const decoder = new TextDecoder()
    for await (const piece of body) {
      for (const { event, data } of parser.push(decoder.decode(piece, { stream: true }))) {
        yield { ...(parseJson(data, 'a change of the pool') as object), type: event }
      }
    }
  }

  /** Something that an operator does, by its path below the pool; see `poolPath`. */
  async operate(
    path: string,
    body: Reasoned & object,
    options: CallOptions & { readonly method?: 'POST' | 'PUT' | 'DELETE' } = {},
  ): Promise<unknown> {
    const { method = 'POST', signal } = options
    const answer = await this.#transport.send({ method, api: 'root', path, body, signal })
    return answer.body
  }

  async reconcile(
    body: Reasoned & { readonly dryRun?: boolean; readonly confirm?: readonly string[] },
    options: CallOptions = {},
  ): Promise<ReconcileReport> {
    return (await this.#post(`${POOLS}/reconcile`, body, options)) as ReconcileReport
  }

  /** One question of a wait: the leases, or that it still waits, or that the server is away. */
  async #ask(wish: PoolWish, leftMs: number, options: CallOptions): Promise<Grant | 'waiting' | 'away'> {
    const path = `${POOLS}/leases`
    const body = { ...wish, pollMs: Math.ceil(Math.min(POLL_MS, leftMs)) }
    let sentAt = 0
    try {
      // Asking again with the same id is harmless.
      const answer = await this.#transport.send({
        method: 'POST',
        api: 'root',
        path,
        body,
        idempotent: true,
        onAttempt: () => void (sentAt = this.#clock.monotonic()),
        ...options,
      })
      return answer.status === 202 ? 'waiting' : { leases: grantedBy(answer, `POST ${path}`), sentAt }
    } catch (error) {
      options.signal?.throwIfAborted()
      // While there is time, a server that is away is waited for: the request is in its queue.
      if (leftMs > 0 && isRetryable(error)) return 'away'
      throw error
    }
  }

  /**
   * Counts leases from now on. What a server says of the time that is left holds for the moment of its answer, which is no
   * earlier than the call. Where a long call leaves too little that is certain, a sign of life tells more.
   *
   * Source: vm-pool.md C5.
   */
  async #certain({ leases, sentAt }: Grant, options: CallOptions): Promise<readonly GrantedLease[]> {
    return await Promise.all(
      leases.map(async (lease) => {
        const enoughMs = lease.expiresInMs * (1 - LEASE_SHARE)
        const leftMs = sentAt + lease.expiresInMs - this.#clock.monotonic()
        const certainMs = leftMs >= enoughMs ? leftMs : await this.#confirm(lease, options)
        return { ...lease, expiresInMs: Math.max(0, certainMs) }
      }),
    )
  }

  /** @returns how long the lease certainly lasts, in milliseconds @throws LeaseLostError */
  async #confirm(lease: GrantedLease, { signal }: CallOptions): Promise<number> {
    const { name, expiresInMs } = lease
    const until = this.#clock.monotonic() + expiresInMs
    for (;;) {
      const sentAt = this.#clock.monotonic()
      const limit = { clock: this.#clock, what: `The first sign of life for ${name}`, signal }
      try {
        const confirmed = await withDeadline({ ...limit, timeoutMs: expiresInMs * LEASE_SHARE }, async (within) => {
          return await this.heartbeat(lease, { signal: within })
        })
        return sentAt + confirmed.expiresInMs - this.#clock.monotonic()
      } catch (error) {
        signal?.throwIfAborted()
        const over = this.#clock.monotonic() >= until
        if (over) throw new LeaseLostError(name, 'no answer came until it was over', { cause: error })
        if (saysLeaseGone(error)) throw new LeaseLostError(name, 'it was over when the answer came', { cause: error })
      }
      await this.#clock.sleep(Math.min(AGAIN_MS, expiresInMs * LEASE_SHARE), { signal })
    }
  }

  /** The machines of a request as things are now, to be given back whatever they are worth; null while it waits. */
  async #granted(requestId: string, options: CallOptions): Promise<readonly GrantedLease[] | null> {
    const path = `${POOLS}/leases/${encodeURIComponent(requestId)}`
    const query = { pollMs: 0, check: false }
    const answer = await this.#transport.send({ method: 'GET', api: 'root', path, query, ...options })
    return answer.status === 202 ? null : grantedBy(answer, `GET ${path}`)
  }

  async #get(path: string, options: CallOptions): Promise<unknown> {
    return unwrapBare(await this.#transport.send({ method: 'GET', api: 'root', path, ...options }), `GET ${path}`)
  }

  async #post(path: string, body: object, options: CallOptions & { readonly idempotent?: boolean }): Promise<unknown> {
    const call = { method: 'POST', api: 'root', path, body } as const
    return unwrapBare(await this.#transport.send({ ...call, ...options }), `POST ${path}`)
  }
}

function grantedBy({ body }: Answer, call: string): readonly GrantedLease[] {
  if (isJsonObject(body) && Array.isArray(body['leases'])) return body['leases'] as readonly GrantedLease[]
  throw new UnexpectedAnswerError(call, 'it has no list "leases"')
}

/** The path of a machine, or of something that is done to it. */
export function vmPath(name: string, action?: string): string {
  return `${POOLS}/vms/${encodeURIComponent(name)}${action === undefined ? '' : `/${action}`}`
}

/** The path of a group, a provider or a request, and of what is done to it. */
export function poolPath(kind: 'groups' | 'providers' | 'requests', id: string, action: string): string {
  return `${POOLS}/${kind}/${encodeURIComponent(id)}/${action}`
}

/** Paths below the pool without a subject. */
export const POOL_PATHS = {
  vms: `${POOLS}/vms`,
  leases: `${POOLS}/leases`,
  changes: `${POOLS}/changes`,
  failureHolds: `${POOLS}/failure-holds`,
  configuration: `${POOLS}/configuration`,
  reconcile: `${POOLS}/reconcile`,
} as const
