import { errorMessage } from '../core/errors.ts'
import type { Metrics } from '../core/metrics.ts'
import type { HttpApp } from './app.ts'

export interface OperationsDeps {
  readonly metrics: Metrics
  /** What must hold before requests are sent here. A check rejects with the reason when it does not. */
  readonly readiness: Readonly<Record<string, () => Promise<void>>>
  /** What is told beside them, in the same form, without making a difference. */
  readonly notices?: Readonly<Record<string, () => Promise<void>>> | undefined
}

/** `/metrics`, `/health/live` and `/health/ready`: for machines that look after this one; nobody is asked who they are. */
export function registerOperations(app: HttpApp, { metrics, readiness, notices = {} }: OperationsDeps): void {
  app.get('/metrics', async (_request, reply) => {
    return await reply.type(metrics.registry.contentType).send(await metrics.text())
  })
  app.get('/health/live', async () => ({ status: 'ok' }))
  app.get('/health/ready', async (_request, reply) => {
    const checks = await Promise.all(
      Object.entries({ ...notices, ...readiness }).map(async ([name, check]) => [name, await outcome(check)] as const),
    )
    const ready = checks.every(([name, said]) => said === 'ok' || !Object.hasOwn(readiness, name))
    return await reply
      .code(ready ? 200 : 503)
      .send({ status: ready ? 'ok' : 'not ready', checks: Object.fromEntries(checks) })
  })
}

async function outcome(check: () => Promise<void>): Promise<string> {
  try {
    await check()
    return 'ok'
  } catch (error) {
    return errorMessage(error)
  }
}
