import { createHash } from 'node:crypto'

import type { Clock } from '../core/clock.ts'
import type { MainstayEvent, Publish } from '../core/event.ts'
import { toJson } from '../core/json.ts'
import type { Logger } from '../core/logging.ts'
import type { PoolMetrics } from './metrics.ts'
import type { ReconcileDecision, ReconcileReport } from './reconcile/index.ts'

type Reported = Extract<ReconcileDecision, { decide: 'report_machine' }>

/**
 * Says in the log and in the metrics what comparisons with the providers came to. What is only reported, and so found again by
 * every comparison, is said once for as long as it lasts, which is until its provider was asked and it was not found; in the event
 * stream as well, because somebody has to decide about it. What another process said before, or this one before it was restarted,
 * has the same id there and is dropped as a repeat.
 *
 * Source: vm-pool.md C10, C16.
 */
export class ReconcileTeller {
  readonly #metrics: Pick<PoolMetrics, 'leak' | 'reconcileSkipped'>
  readonly #logger: Logger
  readonly #clock: Clock
  readonly #events: Publish
  /** What was reported and is not known to be over, with its provider. */
  #reported: ReadonlyMap<string, string> = new Map()

  constructor(parts: {
    readonly metrics: Pick<PoolMetrics, 'leak' | 'reconcileSkipped'>
    readonly logger: Logger
    readonly clock: Clock
    readonly events: Publish
  }) {
    this.#metrics = parts.metrics
    this.#logger = parts.logger
    this.#clock = parts.clock
    this.#events = parts.events
  }

  tell(report: ReconcileReport): void {
    const reported = new Map<string, string>()
    for (const decision of report.decisions) {
      if (decision.decide === 'report_machine') {
        const { provider, machine, because } = decision
        const key = toJson([provider, machine.providerId, because])
        if (!this.#reported.has(key)) {
          this.#tellReported(decision)
          this.#events.publish(reportedEvent(decision, this.#clock.now()))
        }
        reported.set(key, provider)
      } else {
        // What could not be looked at is not over.
        if (decision.decide === 'skip_provider') {
          for (const [key, at] of this.#reported) if (at === decision.provider) reported.set(key, at)
        }
        this.#tellDecision(decision)
      }
    }
    this.#reported = reported
    for (const { decision, outcome, because } of report.carriedOut) {
      this.#metrics.leak('provider' in decision ? decision.provider : '', decision.decide, outcome)
      this.#logger.info(
        { ...decision, outcome, found: 'because' in decision ? decision.because : null, because },
        `The reconciler: ${decision.decide.replaceAll('_', ' ')}, ${outcome}`,
      )
    }
  }

  #tellReported({ provider, machine, because }: Reported): void {
    const { providerId, tags } = machine
    this.#metrics.leak(provider, because, 'reported')
    const what = `The machine ${providerId} (${tags?.vmName ?? machine.name}) at ${provider}`
    this.#logger.error(
      { provider, providerId, vm: tags?.vmName ?? machine.name, found: because },
      because === 'claimed'
        ? `${what} has the name of a machine of another provider, and may be that very one: it is left alone. Two providers ` +
            'that see one account must list different machines; a provider that was renamed needs its old name back.'
        : `${what} is left over (${because}) and only reported.`,
    )
  }

  #tellDecision(decision: ReconcileDecision): void {
    if (decision.decide === 'skip_provider') {
      const { provider, because } = decision
      this.#metrics.reconcileSkipped(provider)
      this.#logger.warn({ provider }, `The machines of ${provider} were not compared: ${because}`)
    } else if (decision.decide === 'hold_back') {
      const { provider, what, ids, limit } = decision
      this.#metrics.leak(provider, what, 'held back')
      this.#logger.error(
        { provider, ids },
        `${ids.length} ${what} at ${provider} are more than the ${limit} that one pass may do away with. Look at them, and ` +
          'confirm them with "mainstay pool reconcile --confirm".',
      )
    }
  }
}

/**
 * `pool.machine.claimed`, `pool.machine.unknown`, …: a machine at a provider that the pool leaves alone until a person has decided.
 * The same machine for the same reason has the same id, whoever finds it, so that the log keeps one.
 *
 * Source: vm-pool.md C10; event-stream.md R2.
 */
function reportedEvent({ provider, machine, because }: Reported, at: number): MainstayEvent {
  const { providerId, name, address, tags } = machine
  const vm = tags?.vmName ?? name
  const same = createHash('sha256')
    .update(toJson([provider, providerId, vm, because]))
    .digest('hex')
    .slice(0, 32)
  return {
    id: `pool-machine-${same}`,
    type: `pool.machine.${because}`,
    severity: 'error',
    occurredAt: at,
    nodeName: null,
    resourceId: vm,
    projectId: null,
    correlationId: null,
    payload: { vm, provider, provider_id: providerId, ip: address, group: tags?.pool ?? null, reason: because },
  }
}
