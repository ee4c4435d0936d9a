import { formatZulu } from '../../core/timestamp.ts'
import type { LogExtent } from '../log.ts'
import type { EventFilter } from '../filter/index.ts'
import type { EventScope } from '../access/scope.ts'
import type { Channel, Chunk } from './channel.ts'
import { CLOSE, type ControlFrame, type ResetReason } from './control-frame.ts'
import type { Outlet } from './dialect.ts'
import { decideFlow } from './flow.ts'
import { Omissions } from './omissions.ts'
import type { Start } from './since.ts'
import type { Station } from './station.ts'
import { shared, type SubscriberFigures, type SubscriberState, type Subscription } from './subscription.ts'
import { decideUpkeep, type Upkeep } from './upkeep.ts'
import { VitalSigns } from './vital-signs.ts'

const TOO_SLOW = { stuck: 'it took nothing for too long', 'too-far-behind': 'it fell too far behind' } as const

/**
 * One client's place in the stream.
 *
 *   starting ──▶ replaying ──level with the head──▶ live ──over the soft limit──▶ behind ──level again──▶ live
 *                    └──────────┬───────────────────┴───────────────────────────────┘
 *                               ├── no progress for 30 s, or 100,000 events behind ──▶ closed (4408)
 *                               ├── what it asked for is gone ──▶ closed (4410), or replaying from the oldest
 *                               └── the node goes down ──▶ draining ──▶ closed (1012)
 *
 * Invariant: the frames that a client was given are a prefix of the matching events after its beginning, in order, each
 * once; only under the policy `drop` events are left out, and then it is told how many. All states that send do the
 * same: they give what follows the place from the pages in memory, and have a page read where it is not. So there is no
 * switch between replay and live in which an event could be lost or given twice.
 *
 * Source: event-stream.md R9 … R13, R19 … R21.
 */
export class Subscriber {
  readonly #station: Station
  readonly #outlet: Outlet
  readonly #signs: VitalSigns
  readonly #omissions = new Omissions()
  #subscription: Subscription
  #channel: Channel
  #state: SubscriberState = 'starting'
  #epoch = ''
  #position = 0
  #loading = false
  #sent = 0
  #unsentFrames = 0
  #allowedBehind = 0
  #onFlushed: (() => void) | undefined

  constructor(station: Station, outlet: Outlet, subscription: Subscription) {
    this.#station = station
    this.#outlet = outlet
    this.#signs = new VitalSigns(station.clock.monotonic())
    this.#channel = station.channels.acquire(subscription)
    this.#subscription = shared(subscription, this.#channel.audience)
  }

  get state(): SubscriberState {
    return this.#state
  }

  get subscription(): Subscription {
    return this.#subscription
  }

  /** The history that its place belongs to. */
  get epoch(): string {
    return this.#epoch
  }

  get cursor(): string {
    return `${this.#epoch}:${this.#position}`
  }

  /** Events between its place and the head. */
  get behindEvents(): number {
    const { pages, epoch } = this.#station
    return this.#epoch === epoch ? Math.max(0, pages.head - this.#position) : 0
  }

  get figures(): SubscriberFigures {
    return {
      state: this.#state,
      cursor: this.cursor,
      behindEvents: this.behindEvents,
      unsentBytes: this.#outlet.unsentBytes,
      sent: this.#sent,
      dropped: this.#omissions.total,
    }
  }

  /** Takes its place, says hello and begins. Repeated for a new subscription on the same connection. */
  begin(start: Start, extent: LogExtent, hello: ControlFrame): void {
    if (this.#state !== 'starting') return
    this.#sent = 0
    this.#takePlace(extent.epoch, start.position)
    this.say(hello)
    if (start.reset !== null) this.reset(start.reset, extent)
    else this.pull()
  }

  /** Waits for its place to be found anew; nothing is sent meanwhile. */
  restart(subscription: Subscription): void {
    if (this.#ended) return
    this.#state = 'starting'
    this.#change(subscription)
  }

  /** What comes next obeys another filter. Source: event-stream.md R13. */
  changeFilter(filter: EventFilter): void {
    this.#change({ ...this.#subscription, filter })
  }

  /** The right to listen was renewed. Source: event-stream.md R30, R31. */
  renew(expiresAtMs: number | null, scope: EventScope): void {
    this.#signs.warnedOfExpiry = false
    this.#change({ ...this.#subscription, expiresAtMs, scope })
  }

  /** Gives as much of what follows its place as the socket may hold. */
  pull(): void {
    const { pages, options, epoch } = this.#station
    const { policy } = this.#subscription
    if (this.#loading || !this.#sends || this.#epoch !== epoch) return
    while (this.#position < pages.head) {
      const { unsentBytes } = this.#outlet
      const view = { policy, live: this.#state === 'live', unsentBytes, unsentFrames: this.#unsentFrames }
      const flow = decideFlow(view, options)
      if (flow === 'wait') return this.#fallBehind()
      if (flow === 'skip') return this.#skip()
      if (flow === 'disconnect') return this.#tooSlow('its unsent data reached the hard limit')
      const chunk = this.#channel.after(this.#position)
      if (chunk === undefined) return void this.#load()
      this.#give(chunk)
    }
    this.#state = 'live'
    this.#allowedBehind = 0
  }

  /** The socket has taken everything. */
  flushed(): void {
    this.#unsentFrames = 0
    this.#signs.flushed(this.#station.clock.monotonic())
    this.#onFlushed?.()
    this.#station.guarded(this, () => {
      this.#tellOmission()
      this.pull()
    })
  }

  /** What it asked for is gone: it goes on from the oldest event, or is ended. Source: event-stream.md R11. */
  reset(reason: ResetReason, extent: LogExtent): void {
    if (this.#ended) return
    const position = extent.oldest - 1
    const { epoch, oldest, head } = extent
    this.say({ type: 'reset', reason, oldest, head, epoch, cursor: `${epoch}:${position}` })
    this.#station.figures.resumed(reason)
    if (!this.#subscription.continueOnReset) return this.end(CLOSE.CURSOR_GONE, reason)
    this.#takePlace(epoch, position)
    this.pull()
  }

  /** Sends a frame that is no event. */
  say(frame: ControlFrame): void {
    if (this.#ended) return
    const bytes = this.#subscription.dialect.control(frame)
    if (bytes !== undefined) this.#outlet.write(bytes)
    this.#signs.frame(this.#station.clock.monotonic())
  }

  /** Tells its cursor. */
  bookmark(): void {
    this.say({ type: 'bookmark', cursor: this.cursor })
    this.#signs.cursor(this.#station.clock.monotonic(), this.#position)
  }

  /** Does what is due. To be called regularly, with the monotonic time. */
  upkeep(now: number): void {
    if (!this.#sends) return
    this.pull()
    const { expiresAtMs } = this.#subscription
    const view = {
      ...this.#signs.look(now, this.#position, this.#outlet),
      behind: this.behindEvents,
      allowedBehind: this.#allowedBehind,
      expiresAtMs,
    }
    const { clock, options } = this.#station
    for (const due of decideUpkeep(view, now, clock.now(), options)) this.#attend(due)
  }

  /** Says that the node goes down, and settles when the socket has taken everything. Source: event-stream.md R34. */
  async drain(reconnectAfterMs: number): Promise<void> {
    if (this.#ended) return
    this.#state = 'draining'
    this.say({ type: 'draining', reconnect_after_ms: reconnectAfterMs })
    if (this.#outlet.unsentBytes === 0) return
    await new Promise<void>((resolve) => (this.#onFlushed = resolve))
  }

  /** Ends it, telling the client why. */
  end(code: number, reason: string): void {
    if (this.#ended) return
    this.gone()
    this.#outlet.close(code, reason)
  }

  /** The client is gone. */
  gone(): void {
    if (this.#ended) return
    this.#state = 'closed'
    this.#station.channels.release(this.#channel)
    this.#station.ended(this)
    this.#onFlushed?.()
  }

  get #ended(): boolean {
    return this.#state === 'closed'
  }

  /** Whether events are sent, or would be if there were any. */
  get #sends(): boolean {
    return this.#state === 'replaying' || this.#state === 'live' || this.#state === 'behind'
  }

  #takePlace(epoch: string, position: number): void {
    this.#epoch = epoch
    this.#position = position
    this.#state = 'replaying'
    this.#omissions.take()
    this.#allowedBehind = this.behindEvents
    this.#signs.cursor(this.#station.clock.monotonic(), position)
  }

  #change(subscription: Subscription): void {
    if (this.#ended) return
    const channel = this.#station.channels.acquire(subscription)
    this.#station.channels.release(this.#channel)
    this.#channel = channel
    this.#subscription = shared(subscription, channel.audience)
  }

  #give(chunk: Chunk): void {
    this.#position = chunk.to
    if (chunk.count === 0) return
    this.#tellOmission()
    this.#outlet.write(chunk.bytes(this.#sent + 1))
    this.#sent += chunk.count
    this.#unsentFrames = this.#outlet.unsentBytes === 0 ? 0 : this.#unsentFrames + chunk.count
    this.#station.figures.delivered(chunk.count)
    this.#signs.cursor(this.#station.clock.monotonic(), chunk.to)
  }

  #fallBehind(): void {
    if (this.#state !== 'live') return
    this.#state = 'behind'
    this.#station.figures.slow('catchup')
  }

  #skip(): void {
    const to = this.#station.pages.head
    const dropped = this.#channel.count(this.#position, to)
    const first = dropped > 0 && this.#omissions.add({ dropped, from: this.#position + 1, to })
    if (first) this.#station.figures.slow('drop')
    this.#position = to
  }

  #tellOmission(): void {
    const omission = this.#sends ? this.#omissions.take() : undefined
    if (omission !== undefined) this.say({ type: 'lagged', ...omission })
  }

  #tooSlow(why: string): void {
    this.#station.figures.slow('disconnect')
    // Whoever reads this has read everything before it.
    this.end(CLOSE.SLOW_CONSUMER, `${why}; last cursor ${this.cursor}`)
  }

  /** Has the page read that follows its place. One that could not be read is asked for again by the next upkeep. */
  async #load(): Promise<void> {
    const wanted = { epoch: this.#epoch, seq: this.#position + 1 }
    this.#loading = true
    const found = await this.#station.load(wanted.seq).finally(() => (this.#loading = false))
    if (!found || !this.#sends) return
    const moved = this.#epoch !== wanted.epoch || this.#position + 1 !== wanted.seq
    if (moved || this.#station.pages.holding(wanted.seq) !== undefined) this.#station.guarded(this, () => this.pull())
    else this.#station.missing(this, wanted.seq)
  }

  #attend(due: Upkeep): void {
    if (due === 'stuck' || due === 'too-far-behind') return this.#tooSlow(TOO_SLOW[due])
    if (due === 'expired') return this.end(CLOSE.TOKEN, 'The token has expired.')
    if (due === 'bookmark') return this.bookmark()
    if (due === 'warn-of-expiry') {
      this.#signs.warnedOfExpiry = true
      return this.say({ type: 'expiring', expires_at: formatZulu(this.#subscription.expiresAtMs!) })
    }
    this.say({ type: due, cursor: this.cursor, time: formatZulu(this.#station.clock.now()) })
  }
}
