/** How the records are compared with what the providers show. Durations in milliseconds. */
export interface ReconcileOptions {
  /** How often. */
  readonly periodMs: number
  /** How old a machine that nobody knows must be: one that is being made may not be known yet. */
  readonly graceMs: number
  /** How long a record, or an unknown machine in error, is left before it is judged: lists run behind. */
  readonly settleMs: number
  /** Whether unknown machines are destroyed, or only reported. */
  readonly mode: 'destroy' | 'report'
  /** The most of one kind that one pass may do away with at one provider without a person's word: a number ... */
  readonly maxLeakDeletes: number
  /** ... or this share of what is there, whichever is more. */
  readonly maxLeakDeleteShare: number
  /** The longest that a provider may take to list. */
  readonly listTimeoutMs: number
  /** The longest that it may take to describe or destroy one machine. */
  readonly actTimeoutMs: number
  /** How many machines are looked at or destroyed at one time. */
  readonly concurrency: number
}

export const DEFAULT_RECONCILE_OPTIONS: ReconcileOptions = {
  periodMs: 300_000,
  graceMs: 600_000,
  settleMs: 60_000,
  mode: 'destroy',
  maxLeakDeletes: 10,
  maxLeakDeleteShare: 0.2,
  listTimeoutMs: 120_000,
  actTimeoutMs: 300_000,
  concurrency: 10,
}
