/** What is known of a guest that was created paused, before it may execute. */
export interface StartedGuest {
  /** `elsewhere` from the moment at which somebody begins to move it, and when it is known no more. */
  readonly place: 'here' | 'elsewhere'
  /** Whose mark it bears in the inventory. Off means that somebody has let it run, or ended it. */
  readonly mark: 'ours' | 'another' | 'off'
  /** Whether this call created the copy, or went on with one that it found. */
  readonly created: boolean
}

export type StartVerdict =
  | { readonly act: 'let run' }
  | {
      readonly act: 'give up'
      readonly because: 'moved' | 'taken over'
      /** Which copy is taken away: any, one that does not execute, or none. */
      readonly takeAway: 'any' | 'paused' | 'none'
    }

/**
 * Whether a guest that was created paused may execute, and what becomes of it otherwise. Pure.
 *
 * It executes only where its place is, under the mark of this start. What this call has created is nobody else's, so it is
 * taken away whatever it does once the guest has another place; a copy that was found may be somebody else's by now, and
 * counts as left behind only while it is paused. One that another start has marked is that start's to judge.
 *
 * Source: goals.md, safety principles 1 and 2.
 */
export function judgeStart({ place, mark, created }: StartedGuest): StartVerdict {
  if (place === 'elsewhere') return { act: 'give up', because: 'moved', takeAway: created ? 'any' : 'paused' }
  switch (mark) {
    case 'ours':
      return { act: 'let run' }
    case 'another':
      return { act: 'give up', because: 'taken over', takeAway: 'none' }
    case 'off':
      return { act: 'give up', because: 'taken over', takeAway: 'paused' }
    default:
      return mark satisfies never
  }
}
