/** The best waiting request of one owner, with what its place depends on. */
export interface Contender {
  readonly owner: string
  readonly requestId: string
  readonly priority: number
  readonly weight: number
  readonly submittedAt: number
  /** When the owner was last served while it waited; 0 if never. */
  readonly servedAt: number
  /** How many machines the owner holds now. */
  readonly held: number
}

/**
 * The priority of an owner's best request with what it gained by waiting: one point for every `ageingMs`.
 *
 * It counts from when the request came *or its owner was last served*, whichever is later. So one who is served again and
 * again gains nothing by a long queue, and one who is passed over again and again rises until nobody can pass it.
 *
 * Source: vm-pool.md C4.
 */
export function agedPriority(contender: Contender, now: number, ageingMs: number): number {
  const since = Math.max(contender.submittedAt, contender.servedAt)
  return contender.priority + Math.max(0, Math.floor((now - since) / ageingMs))
}

/**
 * Who is next: the higher class, then the smaller share of held machines by weight, then the older request.
 *
 * Source: vm-pool.md C4.
 */
export function rank(contenders: readonly Contender[], now: number, ageingMs: number): Contender[] {
  return contenders
    .map((contender) => ({
      contender,
      priority: agedPriority(contender, now, ageingMs),
      share: contender.held / contender.weight,
    }))
    .sort(
      (a, b) =>
        b.priority - a.priority ||
        a.share - b.share ||
        a.contender.submittedAt - b.contender.submittedAt ||
        (a.contender.requestId < b.contender.requestId ? -1 : 1),
    )
    .map(({ contender }) => contender)
}

/**
 * The place of a request among those of its owner: lower is earlier. Waiting and priority weigh against each other as
 * in {@link agedPriority}, so the place never changes with time.
 */
export function queueScore(request: { readonly rankAt: number; readonly priority: number }, ageingMs: number): number {
  return request.rankAt - request.priority * ageingMs
}
