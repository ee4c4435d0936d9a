import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/logging.ts'
import type { Random } from '../../core/random.ts'
import type { TaskGroup } from '../../core/task-group.ts'
import { ShutdownError } from '../../core/errors.ts'
import type { NotificationType, Receipt, Report, ReportSink } from '../report.ts'
import type { RetryTimes } from './back-off.ts'
import { decideDelivery, type DeliveryDecision, type DeliveryPolicy } from './delivery-policy.ts'
import type { NotificationApi } from './notification-api.ts'
import type { SenderMetrics } from './sender-metrics.ts'
import type { Spool } from './spool.ts'
import type { SpoolRecord } from './spool-entry.ts'

export interface SenderOptions extends Omit<DeliveryPolicy, keyof RetryTimes> {
  /** How many subjects are being delivered at once; default 4 (`send_concurrency`). */
  readonly concurrency: number
  /** Each kind of monitor has its own options for this (SND-6). */
  readonly retry: Readonly<Record<NotificationType, RetryTimes>>
}

export interface SenderDeps {
  readonly spool: Spool
  readonly api: NotificationApi
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly tasks: TaskGroup
  readonly metrics: SenderMetrics
  /** Asked anew for every attempt, so that a reload takes effect at once. */
  readonly options: () => SenderOptions
}

/** A second failure may look like a repetition of the first, so a person has to see that nothing is done about it. */
const NO_RECOVERY =
  'The API takes this notification for a repetition, or its host is on maintenance, as it is during its recovery: no other ' +
  'recovery begins. Look at "mainstay recovery list" first. Only once that recovery has failed, or where there is none and one ' +
  'is needed, take the host off maintenance and report the failure again with "mainstay notification create", ' +
  'ha.duplicate_interval_ms (180 s unless configured otherwise) after the last report at the earliest.'

/** The repetition is most likely our own. */
const ANSWER_WAS_LOST =
  'The API takes this notification for a repetition, or its host is on maintenance. An earlier attempt was not answered and ' +
  'may have arrived: "mainstay recovery list" shows what has become of it.'

/** How the last attempts went, for the health page. */
export interface SenderStatus {
  /** Undefined before the first attempt. */
  readonly apiReachable: boolean | undefined
  readonly waiting: number
  readonly durable: boolean
}

/**
 * Delivers what the spool holds. Each subject with records is in exactly one of these places:
 *
 *   ready ──a free slot──▶ sending ──done, dead letter──▶ ready, or nowhere when its queue is empty
 *     ▲                        │ retry
 *     └── pause over, wake ── waiting
 *
 * Invariant: at most one record of a subject is being sent, always the oldest; at most `concurrency` subjects are
 * sending; a new record does not shorten the pause of its subject. Nothing here polls.
 *
 * Source: monitors.md 2.3 and 2.4.
 */
export class Sender implements ReportSink {
  readonly #deps: SenderDeps
  readonly #ready = new Set<string>()
  readonly #waiting = new Map<string, { pause: Disposable; asked: boolean }>()
  readonly #sending = new Map<string, Promise<void>>()
  readonly #abandon = new AbortController()
  /** Records of which an attempt was not answered. After a restart that is not known any more. */
  readonly #unanswered = new Set<string>()
  #apiReachable: boolean | undefined
  #stopping = false

  constructor(deps: SenderDeps) {
    this.#deps = deps
  }

  get durable(): boolean {
    return this.#deps.spool.durable
  }

  get status(): SenderStatus {
    return { apiReachable: this.#apiReachable, waiting: this.#deps.spool.size, durable: this.durable }
  }

  /** Begins with what an earlier run has left. */
  start(): void {
    this.#deps.spool.onReady = (subject) => this.#offer(subject)
    for (const subject of this.#deps.spool.subjects()) this.#offer(subject)
  }

  async accept(report: Report): Promise<Receipt> {
    if (this.#stopping) throw new ShutdownError('Accepting a report')
    const receipt = await this.#deps.spool.accept(report)
    this.#deps.metrics.accepted(this.#deps.clock.now() - report.detectedAtMs)
    return receipt
  }

  /** Ends all pauses but those that the API has asked for: the network or the configuration has changed. */
  wake(): void {
    for (const [subject, { pause, asked }] of this.#waiting) {
      if (asked) continue
      pause[Symbol.dispose]()
      this.#waiting.delete(subject)
      this.#ready.add(subject)
    }
    this.#pump()
  }

  /** Starts nothing new, lets what is being sent finish for at most `graceMs`, and closes the spool. */
  async stop({ graceMs }: { graceMs: number }): Promise<void> {
    this.#stopping = true
    for (const { pause } of this.#waiting.values()) pause[Symbol.dispose]()
    this.#waiting.clear()
    const inFlight = Promise.allSettled(this.#sending.values())
    using _grace = this.#deps.clock.after(graceMs, () => this.#abandon.abort(new ShutdownError('A delivery')))
    await inFlight
    await this.#deps.spool.close()
  }

  #offer(subject: string): void {
    if (this.#sending.has(subject) || this.#waiting.has(subject)) return
    this.#ready.add(subject)
    this.#pump()
  }

  #pump(): void {
    const { concurrency } = this.#deps.options()
    for (const subject of this.#ready) {
      if (this.#stopping || this.#sending.size >= concurrency) return
      if (this.#sending.has(subject)) continue // it comes back here by itself
      this.#ready.delete(subject)
      const record = this.#deps.spool.claim(subject)
      if (record !== undefined) this.#send(subject, record)
    }
  }

  #send(subject: string, record: SpoolRecord): void {
    const sending = this.#deps.tasks.spawn(`deliver ${subject}`, async () => {
      try {
        await this.#attempt(record)
      } catch (error) {
        if (this.#abandon.signal.aborted) return
        this.#pause(record, { afterMs: this.#deps.options().capMs, asked: false })
        throw error
      } finally {
        this.#sending.delete(subject)
        if (!this.#waiting.has(subject)) this.#ready.add(subject)
        this.#pump()
      }
    })
    this.#sending.set(subject, sending)
  }

  async #attempt(record: SpoolRecord): Promise<void> {
    const { spool, api } = this.#deps
    const signal = this.#abandon.signal
    let decision: DeliveryDecision
    try {
      decision = await this.#post(record, { signal, reauthenticated: false })
      if (decision.kind === 'reauthenticate') {
        api.forgetToken()
        decision = await this.#post(record, { signal, reauthenticated: true })
      }
    } catch (error) {
      spool.release(record)
      throw error
    }
    await this.#follow(record, decision)
  }

  async #post(
    record: SpoolRecord,
    { signal, reauthenticated }: { signal: AbortSignal; reauthenticated: boolean },
  ): Promise<DeliveryDecision> {
    const { api, clock, random, options } = this.#deps
    const outcome = await api.post(record, { signal })
    if (outcome.kind === 'unreachable') this.#unanswered.add(record.id)
    this.#apiReachable = outcome.kind === 'answered' && outcome.status < 500
    const { retry, ...policy } = options()
    const situation = {
      attempts: record.attempts + 1,
      ageMs: clock.now() - record.firstSeenMs,
      reauthenticated,
      chance: random.next(),
    }
    return decideDelivery(outcome, situation, { ...policy, ...retry[record.report.type] })
  }

  async #follow(record: SpoolRecord, decision: DeliveryDecision): Promise<void> {
    const { spool, logger, metrics, clock } = this.#deps
    const { id, subject } = record
    const { payload } = record.report
    switch (decision.kind) {
      case 'done':
        metrics.settled(record, decision.as, clock.now() - record.firstSeenMs)
        if (decision.as === 'delivered') logger.info({ id, subject, payload }, 'Notification delivered')
        else if (this.#unanswered.has(id))
          logger.info({ id, subject, payload, answer: decision.because }, ANSWER_WAS_LOST)
        else logger.warn({ id, subject, payload, answer: decision.because }, NO_RECOVERY)
        this.#unanswered.delete(id)
        return await spool.settle(record)
      case 'dead-letter': {
        logger.error({ id, subject, reason: decision.because }, 'Notification given up')
        const moved = await spool.deadLetter(record, decision.because)
        this.#unanswered.delete(id)
        if (moved) metrics.settled(record, 'dead_letter', clock.now() - record.firstSeenMs)
        else this.#pause(record, { afterMs: this.#deps.options().capMs, asked: false })
        return
      }
      case 'retry':
      case 'reauthenticate': {
        const { capMs } = this.#deps.options()
        const refused = { afterMs: capMs, asked: false, because: 'the API takes no token' }
        const pause = decision.kind === 'retry' ? decision : refused
        this.#pause(record, pause)
        metrics.failed(record)
        logger.warn({ id, subject, attempts: record.attempts + 1, inMs: pause.afterMs }, pause.because)
        return await spool.failed(record, pause.because)
      }
    }
  }

  #pause({ subject }: SpoolRecord, { afterMs, asked }: { afterMs: number; asked: boolean }): void {
    const pause = this.#deps.clock.after(afterMs, () => {
      this.#waiting.delete(subject)
      this.#offer(subject)
    })
    this.#waiting.set(subject, { pause, asked })
  }
}
