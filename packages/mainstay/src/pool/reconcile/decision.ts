import type { Machine, ProviderResource } from '../provider/provider.ts'

/** What a reconciliation came to; nothing of it is done yet. */
export type ReconcileDecision =
  /** A machine with our tag that nobody knows, or of which there is one too many. */
  | { readonly decide: 'destroy_machine'; readonly provider: string; readonly machine: Machine; readonly because: Leak }
  | { readonly decide: 'report_machine'; readonly provider: string; readonly machine: Machine; readonly because: Leak }
  | { readonly decide: 'destroy_resource'; readonly provider: string; readonly resource: ProviderResource }
  | { readonly decide: 'report_resource'; readonly provider: string; readonly resource: ProviderResource }
  /** A machine that we know and that is beyond use. */
  | {
      readonly decide: 'terminate'
      readonly provider: string
      readonly vm: string
      readonly because: 'error' | 'stopped by itself'
    }
  /** A machine that we know is not at its provider. */
  | { readonly decide: 'lost'; readonly provider: string; readonly vm: string }
  /** The same of one that was to be destroyed: it is. */
  | { readonly decide: 'gone'; readonly provider: string; readonly vm: string }
  /** More than one pass may do away with: nothing of it is done until a person confirms it. */
  | {
      readonly decide: 'hold_back'
      readonly provider: string
      readonly what: HeldBack
      readonly limit: number
      /** Machines and resources by their identifiers at the provider, records by their names. */
      readonly ids: readonly string[]
    }
  /** Nothing is decided about a provider that could not be asked. */
  | { readonly decide: 'skip_provider'; readonly provider: string; readonly because: string }
  /** A record that lost a part: repaired where that can be done, else removed (C19). */
  | { readonly decide: 'repair_record'; readonly vm: string; readonly missing: readonly string[] }
  | { readonly decide: 'report_record'; readonly vm: string; readonly missing: readonly string[] }

/**
 * - `unknown`: no record has its name
 * - `duplicate`: the record that has its name means another machine, which is there
 * - `claimed`: the record that has its name is of another provider, and nothing shows that it means another machine; it may
 *   be the very one. It is only ever reported
 * - `error`: no record has its name and its provider gave it up
 */
export type Leak = 'unknown' | 'duplicate' | 'claimed' | 'error'

export type HeldBack = 'leaked machines' | 'leaked resources' | 'lost machines' | 'machines in error'
