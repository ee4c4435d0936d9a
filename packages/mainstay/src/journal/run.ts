import type { Clock } from '../core/clock.ts'
import { withDeadline } from '../core/deadline.ts'
import { MainstayError, errorMessage, isRetryable } from '../core/errors.ts'
import type { MainstayEvent } from '../core/event.ts'
import type { Ids } from '../core/ids.ts'
import type { Json } from '../core/json.ts'
import type { Random } from '../core/random.ts'
import type { Queries } from '../store/index.ts'
import { retryDelay } from './back-off.ts'
import { tellActed, tellActing, tellRecorded } from './diagnostics.ts'
import { StaleOwnerError, StepFailedError } from './errors.ts'
import { Replay, type HistoryEntry, type RecordedEntry, type StepFailure } from './history.ts'
import type { ClaimedWorkflow, JournalStore } from './journal-store.ts'
import { takeLock } from './locks.ts'
import type { RecordLine, StatusChange } from './record.ts'
import { isStoreTrouble } from './store-trouble.ts'
import type { Signal, SleepOptions, StepAttempt, StepOptions, WaitOptions, WorkflowContext } from './workflow.ts'

export interface RunTools {
  readonly store: JournalStore
  readonly clock: Clock
  readonly ids: Ids
  readonly random: Random
  /** Called after a change of our own tables, made by a workflow, is on disk. */
  readonly afterCommit: () => void
  /** What is told of an entry, in the transaction that writes it down. */
  readonly tell: (entry: RecordedEntry) => MainstayEvent | undefined
  /** Waits longer than this give the workflow back instead of keeping it in memory. */
  readonly parkAfterMs: number
}

/** Thrown through the workflow's function to leave it until `wakeAt`. Not an error: nothing went wrong. */
export class Parked extends Error {
  readonly change: StatusChange

  constructor(change: StatusChange) {
    super(`parked until ${change.wakeAt}`)
    this.change = change
  }
}

/**
 * One run of a workflow by its owner: answers from the history as far as it goes, and writes it on from there.
 *
 * Invariant: once the run is leaving (parked, cancelled, lease lost), no further step begins; those that have begun are
 * waited for by {@link WorkflowRun.settled}.
 */
export class WorkflowRun implements WorkflowContext {
  readonly workflowId: string
  readonly createdAt: number
  readonly clock: Clock
  readonly #claimed: ClaimedWorkflow
  readonly #tools: RunTools
  readonly #replay: Replay
  readonly #signal: AbortSignal
  readonly #inFlight = new Set<Promise<unknown>>()
  #leaving: Error | undefined
  readonly #takenNow = new Set<string>()
  #seq: number
  #lastRecord: Promise<void> = Promise.resolve()
  #line: RecordLine = { lost: undefined }

  constructor(claimed: ClaimedWorkflow, tools: RunTools, signal: AbortSignal) {
    this.workflowId = claimed.id
    this.createdAt = claimed.createdAt
    this.clock = tools.clock
    this.#claimed = claimed
    this.#tools = tools
    this.#signal = signal
    this.#replay = new Replay(`${claimed.name} ${claimed.id}`, claimed.history)
    this.#seq = this.#replay.nextSeq
  }

  async step<T>(key: string, options: StepOptions, act: (attempt: StepAttempt) => Promise<T>): Promise<T> {
    this.#enter()
    const input = options.input === undefined ? null : asData(options.input)
    const past = this.#replay.step(key, input)
    if (past.outcome !== undefined) return past.outcome.output as T
    if (past.failure !== undefined && past.failure.retryAt === null) throw failed(key, past.failure)
    let failure = past.failure
    for (let attempt = past.attempts + 1; ; attempt += 1) {
      if (failure?.retryAt !== undefined && failure.retryAt !== null) {
        await this.#waitUntil(failure.retryAt)
        this.#enter()
      }
      await this.#record([{ kind: 'intent', key, data: { input, attempt } }])
      // Meanwhile another branch may have parked the workflow, or an outcome that this act builds upon was lost.
      this.#enter()
      const repeated = past.attempts > 0 || attempt > 1
      const result = await this.#track(this.#attempt(key, { attempt, repeated }, options, act))
      if ('output' in result) {
        // Not awaited: it goes to disk together with the next intent, or with the end of the workflow.
        this.#recordSoon([{ kind: 'outcome', key, data: { output: asData(result.output), attempt } }])
        return result.output
      }
      const { error } = result
      if (this.#leaving !== undefined) throw this.#leaving
      this.#signal.throwIfAborted()
      failure = this.#judge(error, attempt, options)
      await this.#record([{ kind: 'failure', key, data: failure }])
      if (failure.retryAt === null) throw failed(key, failure, error)
    }
  }

  async transact<T>(key: string, input: unknown, change: (queries: Queries, now: number) => Promise<T>): Promise<T> {
    this.#enter()
    const past = this.#replay.transaction(key, asData(input))
    if (past !== undefined) return past.output as T
    let output: T | undefined
    await this.#track(
      this.#recordAlong(async (queries, now) => {
        output = await change(queries, now)
        return { kind: 'transaction', key, data: { input: asData(input), output: asData(output) } }
      }),
    )
    return output as T
  }

  async decide<I, V>(key: string, rule: string, inputs: I, decide: (inputs: I) => V): Promise<V> {
    this.#enter()
    const past = this.#replay.decision(key, rule, asData(inputs))
    if (past !== undefined) return past.verdict as V
    const verdict = decide(inputs)
    this.#recordSoon([{ kind: 'decision', key, data: { rule, inputs: asData(inputs), verdict: asData(verdict) } }])
    return verdict
  }

  async time(key: string): Promise<number> {
    this.#enter()
    const past = this.#replay.time(key)
    if (past !== undefined) return past
    const now = this.clock.now()
    this.#recordSoon([{ kind: 'time', key, data: { now } }])
    return now
  }

  async sleep(key: string, delayMs: number, { releases }: SleepOptions = {}): Promise<void> {
    this.#enter()
    let until = this.#replay.timer(key)?.until
    if (until === undefined) {
      until = this.clock.now() + delayMs
      await this.#record([{ kind: 'timer', key, data: { delayMs, until } }])
    }
    // A workflow in memory has its subject's lock: to give it back is to park, however short the wait.
    if (releases === 'subject' && this.clock.now() < until) {
      throw this.#park({ status: 'waiting', wakeAt: until, reason: null, result: null, releasesSubject: true })
    }
    await this.#waitUntil(until)
  }

  async waitForSignal(key: string, { names, timeoutMs, held }: WaitOptions): Promise<Signal | undefined> {
    this.#enter()
    const past = this.#replay.wait(key)
    if (past.signal !== undefined) {
      return past.signal.name === null ? undefined : { name: past.signal.name, data: past.signal.data }
    }
    let until = past.wait?.until
    if (until === undefined) {
      until = this.clock.now() + timeoutMs
      await this.#record([{ kind: 'wait', key, data: { names, until, held: held ?? null } }])
    }
    const taken = this.#replay.takenSignals()
    const sent = await this.#tools.store.signals(this.workflowId, names)
    const next = sent.find((signal) => !taken.has(signal.id) && !this.#takenNow.has(signal.id))
    if (next !== undefined) {
      this.#takenNow.add(next.id)
      await this.#record([{ kind: 'signal', key, data: next }])
      return { name: next.name, data: next.data }
    }
    if (this.clock.now() >= until) {
      await this.#record([{ kind: 'signal', key, data: { id: null, name: null, data: null } }])
      return undefined
    }
    const status = held === undefined ? 'waiting' : 'held'
    throw this.#park({ status, wakeAt: until, reason: held ?? null, result: null })
  }

  async acquire(key: string, lock: string): Promise<boolean> {
    this.#enter()
    const past = this.#replay.lock(key, lock)
    if (past !== undefined) return past
    let acquired = false
    await this.#track(
      this.#recordAlong(async (queries, now) => {
        acquired = await takeLock(queries, lock, this.workflowId, now)
        return { kind: 'lock', key, data: { lock, acquired } }
      }),
    )
    return acquired
  }

  /**
   * @throws NonDeterministicWorkflowError when the function ended short of what it had recorded, or the reason for which
   * it should have left and did not
   */
  checkFinished(): void {
    if (this.#leaving !== undefined) throw this.#leaving
    this.#replay.finished()
  }

  /** Makes every further question of the workflow's function end with this error. */
  leave(reason: Error): void {
    this.#leaving ??= reason
  }

  /** Waits for the steps that have begun. */
  async settled(): Promise<void> {
    while (this.#inFlight.size > 0) await Promise.allSettled(this.#inFlight)
  }

  /** Why something of this run could not be written; undefined while all of it was. */
  async lost(): Promise<Error | undefined> {
    await this.#lastRecord
    return this.#line.lost
  }

  /** Writes the workflow's new status; with it goes whatever has not reached the disk yet. */
  async change(change: StatusChange): Promise<void> {
    await this.#makeWay(change)
    await this.#record([], change)
  }

  /** Writes how the workflow ended, in one transaction with what `ended` changes in our own tables. */
  async end(change: StatusChange, ended: (queries: Queries, now: number) => Promise<void>): Promise<void> {
    await this.#makeWay(change)
    await this.#recordedSoFar()
    const now = this.clock.now()
    await this.#tools.store.recordAlong(this.#owner(), async (queries) => {
      await ended(queries, now)
      return { ...this.#owner(), at: now, entries: [], change }
    })
    tellRecorded({ workflowId: this.workflowId, entries: [], status: change.status })
    this.#tools.afterCommit()
  }

  #owner(): { workflowId: string; fence: number; line: RecordLine } {
    return { workflowId: this.workflowId, fence: this.#claimed.fence, line: this.#line }
  }

  /** A record that cannot be written at all, because of its data, does not keep the workflow from failing over it. */
  async #makeWay({ status }: StatusChange): Promise<void> {
    if (status !== 'failed' && status !== 'cancelled') return
    const lost = await this.lost()
    if (lost === undefined || lost instanceof StaleOwnerError || isStoreTrouble(lost)) return
    this.#line = { lost: undefined }
  }

  #enter(): void {
    if (this.#leaving !== undefined) throw this.#leaving
    if (this.#line.lost !== undefined) throw this.#line.lost
    this.#signal.throwIfAborted()
  }

  async #attempt<T>(
    key: string,
    { attempt, repeated }: { attempt: number; repeated: boolean },
    { timeoutMs }: StepOptions,
    act: (attempt: StepAttempt) => Promise<T>,
  ): Promise<{ output: T } | { error: unknown }> {
    const told = { workflowId: this.workflowId, key, attempt }
    tellActing(told)
    try {
      const output = await withDeadline(
        { clock: this.clock, what: `Step ${key}`, timeoutMs, signal: this.#signal },
        async (signal) =>
          await act({
            key: `${this.workflowId}/${key}`,
            attempt,
            repeated,
            fence: this.#claimed.fence,
            signal,
            progress: (fraction, message) => this.#recordSoon([{ kind: 'progress', key, data: { fraction, message } }]),
          }),
      )
      tellActed(told)
      return { output }
    } catch (error) {
      tellActed(told)
      return { error }
    }
  }

  #judge(error: unknown, attempt: number, { retry }: StepOptions): StepFailure {
    const code = error instanceof MainstayError ? error.code : 'MS_UNEXPECTED'
    const again = retry !== undefined && attempt < retry.attempts && isRetryable(error)
    const retryAt = again ? this.clock.now() + retryDelay(attempt, retry, this.#tools.random) : null
    return { attempt, code, message: errorMessage(error), retryAt }
  }

  async #waitUntil(at: number): Promise<void> {
    const remainingMs = at - this.clock.now()
    if (remainingMs <= 0) return
    if (remainingMs > this.#tools.parkAfterMs) {
      throw this.#park({ status: 'waiting', wakeAt: at, reason: null, result: null })
    }
    await this.clock.sleep(remainingMs, { signal: this.#signal })
  }

  #park(change: StatusChange): Error {
    this.#leaving ??= new Parked(change)
    return this.#leaving
  }

  async #track<T>(work: Promise<T>): Promise<T> {
    this.#inFlight.add(work)
    try {
      return await work
    } finally {
      this.#inFlight.delete(work)
    }
  }

  async #record(entries: readonly HistoryEntry[], change?: StatusChange): Promise<void> {
    const at = this.clock.now()
    const numbered = entries.map((entry) => Object.assign({ seq: this.#seq++ }, entry))
    const events = this.#told(numbered, at)
    await this.#tools.store.record({ ...this.#owner(), at, entries: numbered, change, events })
    tellRecorded({ workflowId: this.workflowId, entries, status: change?.status })
    if (events.length > 0) this.#tools.afterCommit()
  }

  #told(entries: readonly (HistoryEntry & { readonly seq: number })[], at: number): MainstayEvent[] {
    const { fence } = this.#claimed
    return entries.flatMap((entry) => this.#tools.tell({ ...entry, fence, at }) ?? [])
  }

  /** Hands entries over without waiting; a failure shows at the next question, before anything else is done. */
  #recordSoon(entries: readonly HistoryEntry[]): void {
    this.#lastRecord = this.#record(entries).catch(toldByLine)
  }

  /** Waits for what was handed over without waiting, so that entries reach the disk in the order of their numbers. */
  async #recordedSoFar(): Promise<void> {
    const lost = await this.lost()
    if (lost !== undefined) throw lost
  }

  async #recordAlong(change: (queries: Queries, now: number) => Promise<HistoryEntry>): Promise<void> {
    await this.#recordedSoFar()
    const now = this.clock.now()
    const seq = this.#seq++
    const { entries } = await this.#tools.store.recordAlong(this.#owner(), async (queries) => {
      const numbered = [Object.assign({ seq }, await change(queries, now))]
      return { ...this.#owner(), at: now, entries: numbered, events: this.#told(numbered, now) }
    })
    tellRecorded({ workflowId: this.workflowId, entries, status: undefined })
    this.#tools.afterCommit()
  }
}

/** The line remembers why a record was lost, and everything that follows asks it. */
function toldByLine(): void {}

/** Plain data is what JSON can hold; the type system cannot see that of an interface. */
function asData(value: unknown): Json {
  return (value ?? null) as Json
}

function failed(key: string, failure: StepFailure, cause?: unknown): StepFailedError {
  return new StepFailedError(key, failure, cause === undefined ? {} : { cause })
}
