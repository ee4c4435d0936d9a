import type { Json } from '../core/json.ts'
import { unwrapBare, unwrapList } from './body.ts'
import type { CallOptions, Transport } from './transport.ts'

export const RECOVERY_STATUSES = ['pending', 'running', 'waiting', 'held', 'completed', 'failed', 'cancelled'] as const
export type RecoveryStatus = (typeof RECOVERY_STATUSES)[number]

/** Statuses after which a run does nothing more by itself. */
export const FINAL_RECOVERY_STATUSES: ReadonlySet<RecoveryStatus> = new Set(['completed', 'failed', 'cancelled'])

/** The phases that every run goes through, in their order; a run may have others between them. */
export const RECOVERY_PHASES = ['detect', 'prove', 'decide', 'act', 'confirm'] as const

/** Something that a person wants to know about when, and how long it took. */
export interface TimelineEntry {
  readonly phase: string
  /** When it began, ISO 8601 with `Z`. */
  readonly at: string
  /** How long it took; null while it lasts. */
  readonly durationMs: number | null
  readonly text: string
}

/** One effect on the world, as the journal keeps it. */
export interface RecoveryStep {
  readonly key: string
  readonly kind: string
  /** `intended` is written down before, the others after. */
  readonly state: 'intended' | 'done' | 'failed'
  readonly attempt: number
  readonly at: string
  readonly finishedAt: string | null
  readonly input: Json
  readonly output: Json
  readonly error: string | null
}

/** What a rule was given and what it said. */
export interface DecisionRecord {
  readonly at: string
  readonly rule: string
  readonly inputs: Json
  readonly verdict: string
  readonly reasons: readonly string[]
}

/** Another run of the same host, which goes first: one notification of a host is handled at a time. */
export interface WaitsFor {
  readonly id: string
  readonly type: Recovery['type']
  readonly subject: string
  readonly status: RecoveryStatus
}

/** One run of a recovery workflow. Times are ISO 8601 with `Z`. */
export interface Recovery {
  readonly id: string
  readonly notificationUuid: string
  readonly type: 'host' | 'instance' | 'process'
  /** The host, guest or process that failed. */
  readonly subject: string
  readonly status: RecoveryStatus
  /** What a person has to look at before it goes on; null unless `held`. */
  readonly heldReason: string | null
  /** Whose end it waits for; null when it waits for nobody, and in lists. */
  readonly waitsFor: WaitsFor | null
  readonly createdAt: string
  readonly finishedAt: string | null
  readonly outcome: string | null
  readonly timeline: readonly TimelineEntry[]
  readonly steps: readonly RecoveryStep[]
  readonly decisions: readonly DecisionRecord[]
}

export interface RecoveryListOptions extends CallOptions {
  readonly status?: string | undefined
  readonly host?: string | undefined
  /** The most runs that are wanted. */
  readonly limit?: number | undefined
}

/** What a person can tell a run: go on although a gate held it, stop, try once more. */
export type RecoveryAction = 'approve' | 'cancel' | 'retry'

/** Calls on recovery runs. They throw what `Transport.send` throws. */
export class Recoveries {
  readonly #transport: Transport

  constructor(transport: Transport) {
    this.#transport = transport
  }

  /** The newest runs that match, newest first. */
  async list(options: RecoveryListOptions = {}): Promise<Recovery[]> {
    const { signal, ...query } = options
    const answer = await this.#transport.send({ method: 'GET', api: 'root', path: RECOVERIES, query, signal })
    return unwrapList(answer, 'recoveries', `GET ${RECOVERIES}`) as Recovery[]
  }

  async show(id: string, options: CallOptions = {}): Promise<Recovery> {
    const path = `${RECOVERIES}/${encodeURIComponent(id)}`
    const answer = await this.#transport.send({ method: 'GET', api: 'root', path, ...options })
    return unwrapBare(answer, `GET ${path}`) as Recovery
  }

  /**
   * Tells a run what to do. The reason is kept with it.
   *
   * @throws MainstayApiError with status 409 when the run is in no state for it
   */
  async act(
    id: string,
    action: RecoveryAction,
    body: { reason: string },
    options: CallOptions = {},
  ): Promise<Recovery> {
    const path = recoveryActionPath(id, action)
    const answer = await this.#transport.send({ method: 'POST', api: 'root', path, body, ...options })
    return unwrapBare(answer, `POST ${path}`) as Recovery
  }
}

const RECOVERIES = '/api/v1/recoveries'

/** The path of an action on a run. */
export function recoveryActionPath(id: string, action: RecoveryAction): string {
  return `${RECOVERIES}/${encodeURIComponent(id)}/${action}`
}
