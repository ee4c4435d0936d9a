/** Every number of the delivery that is not of a single webhook. */
export interface DispatchOptions {
  /** A process that does not renew its leases for so long is taken for dead. */
  readonly leaseMs: number
  /** How often leases are renewed, and webhooks without one looked for. */
  readonly lookMs: number
  /** Events that are read from the log in one go. */
  readonly pageEvents: number
  /** How long progress without a delivery, past events that nobody wanted, may be unwritten. */
  readonly saveMs: number
  /** Dead letters that are kept of one webhook. */
  readonly deadLettersKept: number
  /** The first pause after trouble with the log or the database; it doubles. */
  readonly troubleMinMs: number
  readonly troubleMaxMs: number
  /** Whether no other process uses the database. */
  readonly alone: boolean
}

export const DEFAULT_DISPATCH_OPTIONS: DispatchOptions = {
  leaseMs: 15_000,
  lookMs: 5_000,
  pageEvents: 100,
  saveMs: 10_000,
  deadLettersKept: 1000,
  troubleMinMs: 500,
  troubleMaxMs: 30_000,
  alone: false,
}
