/**
 * Why a machine has to be looked at.
 *
 * - `launch`: its spawn, or its start from stand-by, takes too long
 * - `check`: it has to be checked
 * - `check_overdue`: its check takes too long
 * - `lease`: its worker is silent for longer than lease and grace
 * - `preempt`: its holder was asked to stop and has not
 * - `dirty`: it waited too long for its owner
 * - `hold_end`: its hold is over
 * - `reset_overdue`: its reset takes too long
 * - `retire`: its age or its number of uses say that it should be replaced
 * - `terminate`: its destruction has to be asked of the provider, for the first time or again
 */
export type DueKind =
  | 'launch'
  | 'check'
  | 'check_overdue'
  | 'lease'
  | 'preempt'
  | 'dirty'
  | 'hold_end'
  | 'reset_overdue'
  | 'retire'
  | 'terminate'
