import type { Clock } from '../core/clock.ts'
import { withDeadline } from '../core/deadline.ts'
import { MainstayError, errorMessage, isRetryable } from '../core/errors.ts'
import type { Ids } from '../core/ids.ts'
import type { Json } from '../core/json.ts'
import type { Random } from '../core/random.ts'
import type { Queries } from '../store/index.ts'
import { retryDelay } from './back-off.ts'
import { tellActed, tellActing } from './diagnostics.ts'
import { StepFailedError } from './errors.ts'
import { Replay, type StepFailure } from './history.ts'
import type { ClaimedWorkflow } from './claimed-workflow.ts'
import { takeLock } from './locks.ts'
import type { FirstClaim, StatusChange } from './record.ts'
import { RunJournal, type RunJournalTools } from './run-journal.ts'
import type { Signal, SleepOptions, StepAttempt, StepOptions, WaitOptions, WorkflowContext } from './workflow.ts'

export interface RunTools extends RunJournalTools {
  readonly ids: Ids
  readonly random: Random
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
  /** What it writes down. */
  readonly journal: RunJournal
  readonly #claimed: ClaimedWorkflow
  readonly #tools: RunTools
  readonly #replay: Replay
  readonly #signal: AbortSignal
  readonly #inFlight = new Set<Promise<unknown>>()
  #leaving: Error | undefined
  readonly #takenNow = new Set<string>()

  /** @param options.claim with it the run's first record claims the workflow; none when it was claimed before */
  constructor(
    claimed: ClaimedWorkflow,
    tools: RunTools,
    { signal, claim }: { signal: AbortSignal; claim: FirstClaim | undefined },
  ) {
    this.workflowId = claimed.id
    this.createdAt = claimed.createdAt
    this.clock = tools.clock
    this.#claimed = claimed
    this.#tools = tools
    this.#signal = signal
    this.#replay = new Replay(`${claimed.name} ${claimed.id}`, claimed.history)
    this.journal = new RunJournal(claimed, tools, claim)
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
      await this.journal.record([{ kind: 'intent', key, data: { input, attempt } }])
      // Meanwhile another branch may have parked the workflow, or an outcome that this act builds upon was lost.
      this.#enter()
      const repeated = past.attempts > 0 || attempt > 1
      const result = await this.#track(this.#attempt(key, { attempt, repeated }, options, act))
      if ('output' in result) {
        // Not awaited: it goes to disk together with the next intent, or with the end of the workflow.
        this.journal.recordSoon([{ kind: 'outcome', key, data: { output: asData(result.output), attempt } }])
        return result.output
      }
      const { error } = result
      if (this.#leaving !== undefined) throw this.#leaving
      this.#signal.throwIfAborted()
      failure = this.#judge(error, attempt, options)
      await this.journal.record([{ kind: 'failure', key, data: failure }])
      if (failure.retryAt === null) throw failed(key, failure, error)
    }
  }

  async transact<T>(key: string, input: unknown, change: (queries: Queries, now: number) => Promise<T>): Promise<T> {
    this.#enter()
    const past = this.#replay.transaction(key, asData(input))
    if (past !== undefined) return past.output as T
    let output: T | undefined
    await this.#track(
      this.journal.recordAlong(async (queries, now) => {
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
    this.journal.recordSoon([
      { kind: 'decision', key, data: { rule, inputs: asData(inputs), verdict: asData(verdict) } },
    ])
    return verdict
  }

  async time(key: string): Promise<number> {
    this.#enter()
    const past = this.#replay.time(key)
    if (past !== undefined) return past
    const now = this.clock.now()
    this.journal.recordSoon([{ kind: 'time', key, data: { now } }])
    return now
  }

  async sleep(key: string, delayMs: number, { releases }: SleepOptions = {}): Promise<void> {
    this.#enter()
    let until = this.#replay.timer(key)?.until
    if (until === undefined) {
      until = this.clock.now() + delayMs
      await this.journal.record([{ kind: 'timer', key, data: { delayMs, until } }])
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
      await this.journal.record([{ kind: 'wait', key, data: { names, until, held: held ?? null } }])
    }
    const taken = this.#replay.takenSignals()
    const sent = await this.#tools.store.signals(this.workflowId, names)
    const next = sent.find((signal) => !taken.has(signal.id) && !this.#takenNow.has(signal.id))
    if (next !== undefined) {
      this.#takenNow.add(next.id)
      await this.journal.record([{ kind: 'signal', key, data: next }])
      return { name: next.name, data: next.data }
    }
    if (this.clock.now() >= until) {
      await this.journal.record([{ kind: 'signal', key, data: { id: null, name: null, data: null } }])
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
      this.journal.recordAlong(async (queries, now) => {
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

  #enter(): void {
    if (this.#leaving !== undefined) throw this.#leaving
    if (this.journal.knownLoss !== undefined) throw this.journal.knownLoss
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
            progress: (fraction, message) =>
              this.journal.recordSoon([{ kind: 'progress', key, data: { fraction, message } }]),
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
}

/** Plain data is what JSON can hold; the type system cannot see that of an interface. */
function asData(value: unknown): Json {
  return (value ?? null) as Json
}

function failed(key: string, failure: StepFailure, cause?: unknown): StepFailedError {
  return new StepFailedError(key, failure, cause === undefined ? {} : { cause })
}
