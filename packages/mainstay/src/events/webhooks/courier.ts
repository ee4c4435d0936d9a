import type { Clock } from '../../core/clock.ts'
import { MainstayError, errorMessage, isRetryable } from '../../core/errors.ts'
import type { Ids } from '../../core/ids.ts'
import type { Logger } from '../../core/logging.ts'
import type { Random } from '../../core/random.ts'
import type { Store } from '../../store/index.ts'
import { inScope } from '../access/scope.ts'
import { candidate, compileFilter, type Matcher } from '../filter/index.ts'
import type { EventLog } from '../log.ts'
import { eventJson } from '../stored-event.ts'
import type { StreamEvent } from '../stream-event.ts'
import { deliver, type DeliverDeps } from './deliver.ts'
import type { WebhookFigures } from './figures.ts'
import { judgeAttempt, progressAfter, type Verdict } from './judge.ts'
import { recordOutcome, type Claimed, type Outcome } from './leases.ts'
import type { DispatchOptions } from './options.ts'
import { profileOf } from './profile.ts'
import type { Progress, Webhook } from './webhook.ts'

export interface CourierDeps extends DeliverDeps {
  readonly log: EventLog
  readonly store: Store
  readonly clock: Clock
  readonly ids: Ids
  readonly random: Random
  readonly logger: Logger
  readonly figures: WebhookFigures
}

/** Another process delivers now, or the webhook was changed or removed: whoever sees this stops. */
class LeaseLostError extends MainstayError {
  readonly code = 'MS_WEBHOOK_LEASE_LOST'
  readonly status = 409
  readonly retryable = false

  constructor(webhookId: string) {
    super(`Webhook ${webhookId} is delivered by another process now, or was changed or removed.`)
  }
}

/** The next place that was not written down yet is at most so many events away. */
const UNSAVED_EVENTS = 10_000

/**
 * Delivers the events of one webhook, one after the other, for as long as this process has the lease.
 *
 *   looking ──a wanted event──▶ sending ──2xx──▶ written down ──▶ looking
 *      │                           ├──failed──▶ waiting ──▶ sending
 *      │                           ├──failed for the last time──▶ dead letter, written down ──▶ looking
 *      │                           └──410, or failing for three days──▶ switched off, ended
 *      └──level with the log──▶ idle ──news──▶ looking
 *
 * Invariant: an event is passed only in the same write that says so. A process that dies after the receiver has
 * answered and before the write makes the next one send it again: at least once, in the order of the log.
 *
 * Source: event-stream.md R39.
 */
export class Courier {
  readonly #deps: CourierDeps
  readonly #options: DispatchOptions
  readonly #claimed: Claimed
  readonly #accepts: Matcher
  #progress: Progress
  #savedPosition: number
  #savedAt: number
  #waiting: StreamEvent[] = []
  #news = false
  #idle: PromiseWithResolvers<void> | undefined

  constructor(deps: CourierDeps, options: DispatchOptions, claimed: Claimed) {
    this.#deps = deps
    this.#options = options
    this.#claimed = claimed
    this.#accepts = compileFilter(claimed.webhook.filters)
    this.#progress = claimed.webhook.progress
    this.#savedPosition = this.#progress.position
    this.#savedAt = deps.clock.monotonic()
  }

  get webhook(): Webhook {
    return this.#claimed.webhook
  }

  get fence(): number {
    return this.#claimed.lease.fence
  }

  /** Something may have come. */
  wake(): void {
    this.#news = true
    this.#idle?.resolve()
  }

  /** Delivers until the signal is aborted, the lease is lost, or the webhook is switched off. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      for (;;) {
        signal.throwIfAborted()
        const event = await this.#next(signal)
        if (event === undefined) await this.#rest(signal)
        else if ((await this.#bring(event, signal)).kind === 'off') return
      }
    } catch (error) {
      if (!signal.aborted && !(error instanceof LeaseLostError)) throw error
    }
  }

  /** The next event that is wanted, or undefined when there is none yet. */
  async #next(signal: AbortSignal): Promise<StreamEvent | undefined> {
    for (;;) {
      for (let event = this.#waiting.shift(); event !== undefined; event = this.#waiting.shift()) {
        if (inScope(this.webhook.scope, event) && this.#accepts(candidate(event))) return event
        this.#progress = { ...this.#progress, position: event.seq }
      }
      if (this.#progress.position - this.#savedPosition >= UNSAVED_EVENTS) {
        await this.#record({ progress: this.#progress }, signal)
      }
      if (!(await this.#read(signal))) return undefined
    }
  }

  /** Reads what follows. @returns whether there is anything to look at, or the place has changed */
  async #read(signal: AbortSignal): Promise<boolean> {
    const { log } = this.#deps
    this.#news = false
    const before = this.#progress
    const limit = this.#options.pageEvents
    const page = await this.#insist(signal, async () => await log.read({ after: before.position, limit, signal }))
    const [first] = page
    if (first !== undefined && first.epoch === before.epoch) {
      this.#passOver(first.seq - 1)
      this.#waiting = [...page]
      return true
    }
    const { epoch, oldest, head } = await this.#insist(signal, async () => await log.extent())
    if (epoch === before.epoch && before.position <= head) {
      this.#passOver(oldest - 1)
      return this.#progress.position !== before.position
    }
    this.#deps.logger.warn(
      { webhook: this.webhook.id, epoch },
      'A webhook begins anew with the oldest event: the history that it had followed was lost',
    )
    this.#progress = { ...before, epoch, position: oldest - 1, failures: 0, nextAttemptAt: null }
    await this.#record({ progress: this.#progress }, signal)
    return true
  }

  /** Goes on behind events that the log no longer has. */
  #passOver(position: number): void {
    const missed = position - this.#progress.position
    if (missed <= 0) return
    const { id } = this.webhook
    this.#deps.logger.warn({ webhook: id, missed }, 'A webhook was so far behind that the log had dropped its events')
    this.#progress = { ...this.#progress, position, missed: this.#progress.missed + missed }
  }

  /** Waits for news; what was passed over meanwhile is written down once in a while. */
  async #rest(signal: AbortSignal): Promise<void> {
    const { clock } = this.#deps
    const unsaved = this.#progress.position !== this.#savedPosition
    const dueMs = this.#savedAt + this.#options.saveMs - clock.monotonic()
    if (unsaved && dueMs <= 0) await this.#record({ progress: this.#progress }, signal)
    if (this.#news) return
    this.#idle = Promise.withResolvers()
    const onAbort = (): void => this.#idle?.resolve()
    signal.addEventListener('abort', onAbort, { once: true })
    using _timer = unsaved && dueMs > 0 ? clock.after(dueMs, onAbort) : undefined
    try {
      await this.#idle.promise
    } finally {
      signal.removeEventListener('abort', onAbort)
      this.#idle = undefined
    }
  }

  /** Sends one event until it is taken, given up, or the webhook is switched off. */
  async #bring(event: StreamEvent, signal: AbortSignal): Promise<Verdict> {
    const { clock, random, figures } = this.#deps
    const profile = profileOf(this.webhook.format, this.#deps.profile)
    for (;;) {
      await clock.sleep((this.#progress.nextAttemptAt ?? 0) - clock.now(), { signal })
      const answer = await deliver(this.#deps, this.webhook, event, signal)
      const now = clock.now()
      const verdict = judgeAttempt({ answer, progress: this.#progress, now, chance: random.next() }, profile)
      figures.attempted(verdict)
      const attempts = this.#progress.failures + 1
      this.#progress = progressAfter(this.#progress, verdict, event.seq, now)
      await this.#record(this.#outcome(event, verdict, attempts), signal)
      this.#tell(event, verdict)
      if (verdict.kind !== 'again') return verdict
    }
  }

  #outcome(event: StreamEvent, verdict: Verdict, attempts: number): Outcome {
    const { ids, clock } = this.#deps
    const progress = this.#progress
    if (verdict.kind === 'off') return { progress, inactiveReason: verdict.reason }
    if (verdict.kind !== 'dead') return { progress }
    const { reason } = verdict
    const letter = { id: ids.ordered(), webhookId: this.webhook.id, eventId: event.id, event: eventJson(event) }
    return { progress, deadLetter: { ...letter, attempts, reason, at: clock.now() } }
  }

  #tell(event: StreamEvent, verdict: Verdict): void {
    const { logger } = this.#deps
    const about = { webhook: this.webhook.id, eventId: event.id }
    switch (verdict.kind) {
      case 'delivered':
        return logger.debug(about, 'An event was delivered')
      case 'again':
        return logger.debug(about, `A delivery failed: ${verdict.reason}`)
      case 'dead':
        return logger.warn(about, `An event was given up and is a dead letter now: ${verdict.reason}`)
      case 'off':
        return logger.warn(about, `A webhook was switched off: ${verdict.reason}`)
    }
  }

  /** Writes down how far it has come. Nothing else is done before that is certain. @throws LeaseLostError */
  async #record(outcome: Outcome, signal: AbortSignal): Promise<void> {
    const { store, clock } = this.#deps
    const keep = this.#options.deadLettersKept
    const write = async (): Promise<boolean> => await recordOutcome(store, this.#claimed.lease, outcome, { keep })
    if (!(await this.#insist(signal, write))) throw new LeaseLostError(this.webhook.id)
    this.#savedPosition = outcome.progress.position
    this.#savedAt = clock.monotonic()
  }

  /** Does something with the log or the database until it succeeds, however long they are away. */
  async #insist<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const { clock, random, logger } = this.#deps
    const { troubleMinMs, troubleMaxMs } = this.#options
    for (let pauseMs = troubleMinMs; ; pauseMs = Math.min(troubleMaxMs, pauseMs * 2)) {
      try {
        return await work()
      } catch (error) {
        if (signal.aborted || !isRetryable(error)) throw error
        logger.warn({ webhook: this.webhook.id }, `A webhook waits: ${errorMessage(error)}`)
        await clock.sleep(pauseMs * (0.5 + random.next() / 2), { signal })
      }
    }
  }
}
