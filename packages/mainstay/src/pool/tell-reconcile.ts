import type { Logger } from '../core/logging.ts'
import type { PoolMetrics } from './metrics.ts'
import type { ReconcileReport } from './reconcile/index.ts'

/** Says in the log and in the metrics what a comparison with the providers came to. Source: vm-pool.md C10, C16. */
export function tellReconcile(
  report: ReconcileReport,
  { metrics, logger }: { readonly metrics: PoolMetrics; readonly logger: Logger },
): void {
  for (const decision of report.decisions) {
    const provider = 'provider' in decision ? decision.provider : ''
    if (decision.decide === 'skip_provider') {
      metrics.reconcileSkipped(provider)
      logger.warn({ provider }, `The machines of ${provider} were not compared: ${decision.because}`)
    } else if (decision.decide === 'hold_back') {
      metrics.leak(provider, decision.what, 'held back')
      logger.error(
        { provider, ids: decision.ids },
        `${decision.ids.length} ${decision.what} at ${provider} are more than the ${decision.limit} that one pass may do ` +
          'away with. Look at them, and confirm them with "mainstay pool reconcile --confirm".',
      )
    }
  }
  for (const { decision, outcome, because } of report.carriedOut) {
    metrics.leak('provider' in decision ? decision.provider : '', decision.decide, outcome)
    logger.info(
      { ...decision, outcome, because },
      `The reconciler: ${decision.decide.replaceAll('_', ' ')}, ${outcome}`,
    )
  }
}
