import type { Compute } from '../../compute/index.ts'
import type { Ids } from '../../core/ids.ts'
import type { Severity } from '../../core/event.ts'
import type { HaEvent } from '../../ha/index.ts'
import type { JsonObject } from '../../core/json.ts'
import type { Queries } from '../../store/index.ts'
import type { FencesFor } from '../fencing/fence.ts'
import type { RecoveryPolicy } from '../policy.ts'

/** What the workflows act with. */
export interface RecoveryTools {
  readonly compute: Compute
  readonly fencesFor: FencesFor
  readonly policy: RecoveryPolicy
  readonly ids: Ids
  /** Writes an event in the transaction of the change that it tells of. */
  readonly announce: Announce
  /** Writes what Masakari's own listeners are told, in the transaction of the change (ha-api.md 18). */
  readonly tellListeners: TellListeners
}

export type TellListeners = (queries: Queries, event: HaEvent, now: number) => Promise<void>

export type Announce = (queries: Queries, news: News, now: number) => Promise<void>

/** What a recovery tells the world; `server/` makes an event of it. */
export interface News {
  /** `recovery.held`, `recovery.finished`, … */
  readonly type: string
  readonly severity: Severity
  readonly host: string
  readonly workflowId: string
  readonly payload: JsonObject
}
