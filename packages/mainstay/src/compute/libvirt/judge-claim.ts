/** What is known when an act goes on with a restart elsewhere that it has claimed. */
export interface Claim {
  /** `superseded` when it was given back, or the guest has been moved on since by another act. */
  readonly own: 'open' | 'done' | 'superseded'
  /** What the target says of the guest; a silent one may have started it. */
  readonly atTarget: 'process' | 'no-process' | 'silent'
  /** Whether that target has refused the guest. */
  readonly refused: boolean
}

export type ClaimVerdict =
  /** Do at the target what is missing. */
  | 'carry on'
  /** Nothing is missing, or another act ends it. */
  | 'wait'
  /** Nothing of the guest can run at the target: its place is where it was, and another target may be chosen. */
  | 'give back'
  /** It is not known whether the guest runs at the target: nothing may be started, there or anywhere else. */
  | 'refuse'

/**
 * What is to be done about the claim on a guest. Pure.
 *
 * Only the act that began a restart carries it on, at the target that it claimed, for an unanswered call may have started
 * the guest there. Another act may begin anew only with the proof that this target is dead, for the target is the guest's
 * place from the claim on (`requireCertificate`). A target is given up only when it answers and shows that nothing of the guest runs.
 *
 * Source: goals.md, safety principles 1, 2 and 6.
 */
export function judgeClaim({ own, atTarget, refused }: Claim): ClaimVerdict {
  switch (own) {
    case 'done':
    case 'superseded':
      return 'wait'
    case 'open':
      if (atTarget === 'silent') return 'refuse'
      if (atTarget === 'process') return 'wait'
      return refused ? 'give back' : 'carry on'
    default:
      return own satisfies never
  }
}
