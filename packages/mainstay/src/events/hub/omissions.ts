/** Events that were left out for a client under the policy `drop`, since it last took everything. */
export interface Omission {
  readonly dropped: number
  /** The first place that was left out. */
  readonly from: number
  /** The last place that was looked at. */
  readonly to: number
}

/** Adds to what was left out. */
export function omit(before: Omission | undefined, more: Omission): Omission {
  return before === undefined ? more : { dropped: before.dropped + more.dropped, from: before.from, to: more.to }
}
