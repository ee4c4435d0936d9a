import type { ProcessIdentity } from '../process/process-table.ts'

/** What a test process tells its reaper: one JSON line each. Source: testkit.md A10. */
export type ReaperEvent =
  /** A process that leads its own group, and the signal that asks it to end. */
  | { readonly event: 'add'; readonly process: ProcessIdentity; readonly signal: NodeJS.Signals }
  | { readonly event: 'del'; readonly pid: number }
  /** A marker that every process of a cluster, or every helper of the test process, carries in its environment. */
  | { readonly event: 'run'; readonly marker: string }
  | { readonly event: 'forget-run'; readonly marker: string }
  | { readonly event: 'dir'; readonly path: string }
  | { readonly event: 'forget-dir'; readonly path: string }
  | { readonly event: 'mount'; readonly path: string }
  | { readonly event: 'forget-mount'; readonly path: string }
  | { readonly event: 'lease'; readonly path: string }
  | { readonly event: 'forget-lease'; readonly path: string }
  /** A command that drops a database made on a server that the kit did not start. */
  | {
      readonly event: 'db'
      readonly id: string
      readonly command: readonly string[]
      readonly env: Record<string, string>
    }
  | { readonly event: 'forget-db'; readonly id: string }
  /** The home folder whose leftovers of dead runs are to be removed. */
  | { readonly event: 'sweep'; readonly home: string }
  | { readonly event: 'bye' }
