import type { Clock } from '../core/clock.ts'
import type { MainstayEvent } from '../core/event.ts'
import type { Json } from '../core/json.ts'
import type { Queries } from '../store/index.ts'
import type { RecordedEntry } from './history.ts'

/**
 * Durable workflows: work that is finished exactly once although processes die, pause and start again.
 *
 *   pending ──claimed──▶ running ──sleeps, waits for a signal──▶ waiting ──due, signalled──▶ running
 *                          │   └────── needs a person ─────────▶ held ────signalled, due───▶ running
 *                          ├──▶ completed
 *                          ├──▶ failed
 *                          └──▶ cancelled
 *
 * A workflow is an ordinary async function. Everything it learns from the world it learns through its context, which
 * writes it down; run again after a crash, the function is given the same answers from the history and so takes the
 * same path up to where it was. A step is written down as an *intent* before it acts and as an *outcome* after. An
 * intent without an outcome means that the act may have happened: the step runs again, told so by `repeated`, and
 * must look before it acts.
 *
 * An engine may run a new workflow before it has claimed it, up to the first thing that is written down: that record
 * claims it, and until it is on disk nothing acts. Refused, it leaves no trace.
 *
 * Invariants, all of them kept by the database and not by the process:
 * 1. One owner. Every claim raises the workflow's fencing token; a write with an older token is refused whole.
 * 2. A workflow runs only while it holds its subject's lock, which one workflow has at a time: it gets the lock with the
 *    claim, in the same transaction. It keeps the lock while it waits or is held, until it ends; a sleep that `releases`
 *    the subject gives it back together with the parking, and the claim that ends the sleep has to get it again. Of
 *    several that are due, the oldest is first. What was cancelled only ends, so it needs no lock.
 * 3. The history only grows, and its entries are numbered without repeats.
 * 4. An effect in our own database and the record of it are one transaction.
 * 5. A workflow that ended never runs again.
 */
export interface WorkflowDefinition<Input extends Json = Json> {
  readonly name: string
  /** Raised when the path through the function changes; a running workflow keeps the version it began with. */
  readonly version: number
  /** @returns what `recovery show` prints as the result */
  readonly run: (context: WorkflowContext, input: Input) => Promise<Json>
  /**
   * Called once, in the transaction that ends the workflow, however it ends: completed, failed (also by a defect) or
   * cancelled. Brings the records that people look at to their final state.
   */
  readonly ended?: (queries: Queries, end: WorkflowEnd<Input>) => Promise<void>
  /**
   * What is told of each entry of the history. Pure; the event is written in the transaction of the entry, so what is
   * told has happened, and nothing that happened is kept quiet.
   */
  readonly tell?: (entry: RecordedEntry, about: WorkflowSubject<Input>) => MainstayEvent | undefined
}

/** Whose history an entry is of. */
export interface WorkflowSubject<Input extends Json = Json> {
  readonly workflowId: string
  readonly input: Input
  /** The request that started it. */
  readonly correlationId: string | null
}

export type WorkflowStatus = 'pending' | 'running' | 'waiting' | 'held' | 'completed' | 'failed' | 'cancelled'

export interface WorkflowEnd<Input extends Json = Json> {
  readonly workflowId: string
  readonly input: Input
  readonly status: 'completed' | 'failed' | 'cancelled'
  /** What the function returned; null unless it completed. */
  readonly result: Json
  /** Why it failed or was cancelled; null when it completed. */
  readonly reason: string | null
  /** Milliseconds since the Unix epoch. */
  readonly at: number
}

export interface StepOptions {
  /** What the step acts on; compared with the record when the workflow is replayed. */
  readonly input?: unknown
  /** The longest that one attempt may take. */
  readonly timeoutMs: number
  /** How often the step is tried again when its error says that a retry can help; not at all unless given. */
  readonly retry?: { readonly attempts: number; readonly minDelayMs: number; readonly maxDelayMs: number }
}

/** What a step is told about the attempt it makes. */
export interface StepAttempt {
  /** The same for every attempt of this step of this workflow. */
  readonly key: string
  /** Counts from 1. */
  readonly attempt: number
  /** Whether an earlier attempt may have acted: look before acting. */
  readonly repeated: boolean
  /** The fencing token of the owner. */
  readonly fence: number
  /** Aborted at the time-out, on cancellation, on shutdown and when the lease is lost. */
  readonly signal: AbortSignal
  /** Writes a line of progress, between 0 and 1, that people can read while the step runs. */
  readonly progress: (fraction: number, message: string) => void
}

export interface Signal {
  readonly name: string
  readonly data: Json
}

export interface WaitOptions {
  readonly names: readonly string[]
  readonly timeoutMs: number
  /** Why a person is needed; the workflow is then `held` instead of `waiting`. */
  readonly held?: string
}

export interface SleepOptions {
  /**
   * What the workflow does not keep to itself meanwhile. With `subject`, other workflows of its subject run until the
   * sleep is over, and the workflow goes on once none of them runs. Locks of its own it keeps.
   */
  readonly releases?: 'subject'
}

/**
 * The only way for a workflow to learn anything or to do anything. Keys are unique within a workflow.
 *
 * Inputs and results are written down as JSON, so they are plain data: what JSON cannot hold does not come back.
 */
export interface WorkflowContext {
  readonly workflowId: string
  /** When the workflow was created, in milliseconds since the Unix epoch. */
  readonly createdAt: number
  /** For arithmetic on recorded times only; a decision takes its time from {@link WorkflowContext.time}. */
  readonly clock: Clock

  /**
   * Acts on the world outside of our database.
   *
   * @throws StepFailedError when no attempt succeeded; TimeoutError counts as a failed attempt
   */
  step<T>(key: string, options: StepOptions, act: (attempt: StepAttempt) => Promise<T>): Promise<T>

  /** Acts on our own database, in one transaction with the record of it, so exactly once. */
  transact<T>(key: string, input: unknown, change: (queries: Queries, now: number) => Promise<T>): Promise<T>

  /** Applies a pure rule and writes down its inputs and its verdict: the decision record. */
  decide<I, V>(key: string, rule: string, inputs: I, decide: (inputs: I) => V): Promise<V>

  /** The time now, in milliseconds since the Unix epoch; the same on every replay. */
  time(key: string): Promise<number>

  /** Waits at least that long, also across restarts. */
  sleep(key: string, delayMs: number, options?: SleepOptions): Promise<void>

  /** Waits for a signal sent to this workflow. @returns undefined when none came in time */
  waitForSignal(key: string, options: WaitOptions): Promise<Signal | undefined>

  /**
   * Takes a lock that this workflow keeps until it ends.
   *
   * @returns false at once when another workflow has it
   */
  acquire(key: string, lock: string): Promise<boolean>
}
