import type { DrainMode } from '../descriptor.ts'
import type { VmState } from '../state.ts'

/**
 * What a master does next, each with the reason and its numbers. `plan` prints the same list and does nothing.
 *
 * Source: vm-pool.md C9, C14.
 */
export type Decision = { readonly because: string } & (
  | VmDecision
  | GroupDecision
  | { readonly do: 'preempt'; readonly request: string }
)

export type VmDecision = { readonly vm: string; readonly group: string } & (
  | /** Its spawn took too long: whatever there is of it is destroyed. */ { readonly do: 'abandon_spawn' }
  | { readonly do: 'check' }
  | { readonly do: 'give_up_check' }
  | /** Its holder is silent, or did not stop when asked. */ { readonly do: 'reclaim' }
  | { readonly do: 'terminate'; readonly from: readonly VmState[] }
  | { readonly do: 'unhold' }
  | /** Ends with its current use. */ { readonly do: 'drain'; readonly mode: DrainMode }
  | /** Stays although it is worn, because the minimum needs it. */ { readonly do: 'keep'; readonly until: number }
  | /** Its destruction is asked of the provider. */ {
      readonly do: 'destroy'
      readonly attempt: number
      readonly againAt: number
    }
  | { readonly do: 'give_up_destroying' }
)

export type GroupDecision = { readonly group: string } & (
  | { readonly do: 'spawn' | 'wake'; readonly count: number; readonly for: string }
  | /** Idle clean machines that are too many. */ { readonly do: 'shrink' | 'stand_by'; readonly count: number }
  | /** Above a maximum: idle ones end, those in use are drained. */ { readonly do: 'shed'; readonly count: number }
  | /** Idle dirty machines make room for requests. */ {
      readonly do: 'evict'
      readonly count: number
      readonly idleForMs: number
    }
  | { readonly do: 'drain_group'; readonly mode: DrainMode }
  | /** Work that a process left behind is taken up: spawns, starts, resets. */ { readonly do: 'take_up' }
)

export type DecisionKind = Decision['do']
