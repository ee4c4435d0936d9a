import type { FenceCertificate, FenceMethod } from '../../compute/index.ts'
import { isJsonObject, type Json } from '../../core/json.ts'
import { StepFailedError, type WorkflowContext } from '../../journal/index.ts'
import { FenceFailedError, type Fence } from '../fencing/fence.ts'
import type { RecoveryPolicy } from '../policy.ts'
import { certify, certifyAssertion, type FenceReport } from '../rules/certify.ts'
import { RecoveryFailedError } from './notification-flow.ts'
import type { RecoveryTools } from './tools.ts'

/** The signals that a held recovery understands. */
export const ASSERTED = 'fence-asserted'
export const TRY_AGAIN = 'retry'

/** Nobody proved the host dead, so nothing may be restarted elsewhere. */
export class HostNotProvenError extends RecoveryFailedError {}

/** What a person says who has looked at the host. */
export type Assertion = { readonly by: string; readonly reason: string; readonly at: number }

/**
 * Obtains the certificate without which nothing of a host is restarted.
 *
 *   fencing ──seen dead──▶ certificate
 *      ├──seen, but too long ago──▶ fencing, once without a pause
 *      └──nothing seen──▶ held ──a person asserts──▶ certificate
 *                           ├──a person asks to try again, or some time has passed──▶ fencing
 *                           └──nobody in time──▶ failed
 *
 * It looks again by itself because a host may come back, or its fence device may, and then nobody need decide anything. The
 * pauses grow, so that a long wait does not fill the history.
 *
 * @param key where this proof stands in the workflow
 * @throws HostNotProvenError when nobody proved anything in time
 */
export async function proveDead(
  context: WorkflowContext,
  tools: RecoveryTools,
  { host, key }: { host: string; key: string },
): Promise<FenceCertificate> {
  const { policy, fencesFor } = tools
  let givenUpAt: number | undefined
  let told: string | undefined
  let wasStale = false
  for (let round = 1; ; round += 1) {
    const place = `${key}/FenceHostTask/${round}`
    // The methods of a round stay those of the round, also when it is gone through again with others configured.
    const methods = await context.decide(`${place}/methods`, 'fence methods of the host', host, () =>
      fencesFor(host).map(({ method }) => method),
    )
    const reports = await runFences(context, tools, { host, place, methods })
    const now = await context.time(`${place}/time`)
    const inputs = { host, reports, now, validityMs: policy.fenceValidityMs }
    const verdict = await context.decide(
      `${place}/certify`,
      'fence before restart (goals, principle 1)',
      inputs,
      (given) => certify(given.host, given.reports, given),
    )
    if (verdict.certificate !== null) return verdict.certificate
    givenUpAt ??= now + policy.holdTimeoutMs
    // Nobody was there to read what was seen, so it is looked at again at once, however late it is; what is too old each
    // time needs a pause.
    const lookAtOnce = verdict.stale && !wasStale
    wasStale = verdict.stale
    if (lookAtOnce) continue
    if (now >= givenUpAt) {
      throw new HostNotProvenError(`nobody proved host ${host} dead in time (${verdict.missing})`)
    }
    if (verdict.missing !== told) await tellHeld(context, tools, { host, place, missing: verdict.missing })
    told = verdict.missing
    const signal = await context.waitForSignal(`${place}/held`, {
      names: [ASSERTED, TRY_AGAIN],
      timeoutMs: Math.min(lookAgainDelay(round, policy), givenUpAt - now),
      held: `Host ${host} is not proved dead (${verdict.missing}). Its guests are not restarted. Look at its power, then run "mainstay fence ${host} --assert-dead --reason …".`,
    })
    if (signal === undefined || signal.name === TRY_AGAIN) continue
    const assertion = readAssertion(signal.data)
    const asserted = { host, assertion, validityMs: policy.fenceValidityMs }
    const certificate = await context.decide(
      `${place}/asserted`,
      'a named person asserts (goals, principle 1)',
      asserted,
      (given) => certifyAssertion(given.host, given.assertion, given),
    )
    // Somebody said so, and nobody was there to hear it until now: too much may have happened since.
    if ((await context.time(`${place}/heard`)) <= certificate.validUntil) return certificate
  }
}

/** @returns milliseconds; twice as long after every round, up to the longest */
function lookAgainDelay(round: number, { lookAgainMs, lookAgainMaxMs }: RecoveryPolicy): number {
  return Math.min(lookAgainMaxMs, lookAgainMs * 2 ** (round - 1))
}

/** Tries the fences in order until one has seen the host dead. */
async function runFences(
  context: WorkflowContext,
  { policy, fencesFor }: RecoveryTools,
  { host, place, methods }: { host: string; place: string; methods: readonly FenceMethod[] },
): Promise<FenceReport[]> {
  const reports: FenceReport[] = []
  for (const [index, method] of methods.entries()) {
    try {
      const options = { timeoutMs: policy.fenceTimeoutMs, input: { host, method } }
      const evidence = await context.step(`${place}/${index}-${method}`, options, async ({ signal, progress }) => {
        progress(0, `Fencing host ${host} by ${method}`)
        const seen = await fenceOf(fencesFor(host), { index, method, host }).cutOff(host, { signal })
        progress(1, `Host ${host} is fenced: ${seen.map(({ saw }) => saw).join(', ')}`)
        return seen
      })
      reports.push({ method, evidence })
      if (evidence.length > 0) return reports
    } catch (error) {
      if (!(error instanceof StepFailedError)) throw error
      reports.push({ method, missing: error.failedMessage })
    }
  }
  return reports
}

/** @throws FenceFailedError when the method was taken out of the configuration meanwhile */
function fenceOf(
  fences: readonly Fence[],
  { index, method, host }: { index: number; method: FenceMethod; host: string },
): Fence {
  const same = fences[index]
  const fence = same?.method === method ? same : fences.find((each) => each.method === method)
  if (fence !== undefined) return fence
  throw new FenceFailedError(`The fence method ${method} is not configured for host ${host} any more.`)
}

async function tellHeld(
  context: WorkflowContext,
  tools: RecoveryTools,
  { host, place, missing }: { host: string; place: string; missing: string },
): Promise<void> {
  await context.transact(`${place}/tell held`, missing, async (queries, now) => {
    const payload = { host, missing }
    const news = { type: 'recovery.held', severity: 'critical', host, workflowId: context.workflowId, payload } as const
    await tools.announce(queries, news, now)
  })
}

function readAssertion(data: Json): Assertion {
  if (!isJsonObject(data)) throw new RecoveryFailedError('the assertion that the host is dead names nobody')
  const { by, reason, at } = data
  if (typeof by !== 'string' || typeof reason !== 'string' || typeof at !== 'number') {
    throw new RecoveryFailedError('the assertion that the host is dead names nobody')
  }
  return { by, reason, at }
}
