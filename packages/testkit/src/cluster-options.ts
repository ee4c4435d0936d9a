import type { ServerSpec } from './spec.ts'
import type { DatabaseSpec } from './database/database-spec.ts'

export interface ClusterOptions {
  /** Part of the folder's name; default `cluster`. */
  readonly name?: string
  readonly servers?: readonly ServerSpec[]
  /** Configuration overrides for every server that knows the key. A start is refused while no server knows one of them. */
  readonly overrides?: Readonly<Record<string, unknown>>
  /** A database of the whole cluster, for servers that declare none: `%(dbUrl)s`. */
  readonly database?: DatabaseSpec
  /** Nothing is created and nothing started; `disabledReason` says why. Runners skip the test. */
  readonly disabled?: boolean
  readonly disabledReason?: string
  /** Having to force a server to end fails the clean-up. Default false. */
  readonly strictStop?: boolean
  readonly allowUnknown?: boolean
  /** Where servers that can do both run. Default: MAINSTAY_TESTKIT_MODE, else a process. */
  readonly mode?: 'process' | 'inline'
  /** Whether the folder stays. Default: MAINSTAY_TESTKIT_KEEP, else `fail`. */
  readonly keep?: 'always' | 'fail' | 'never'
  /** Checked by the clean-up: a matching line fails the test. */
  readonly cleanLogs?: CleanLogs
  /** At most so many servers start at the same time. Default 4. */
  readonly parallelStarts?: number
}

export interface CleanLogs {
  readonly forbid: readonly RegExp[]
  readonly allow?: readonly RegExp[]
}
