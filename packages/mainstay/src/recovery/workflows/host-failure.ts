import pLimit from 'p-limit'

import type { FenceCertificate, Instance } from '../../compute/index.ts'
import { listReservedCandidates } from '../../ha/index.ts'
import { StepFailedError, type WorkflowContext, type WorkflowDefinition } from '../../journal/index.ts'
import { judgeHostReport } from '../rules/judge-notification.ts'
import { recoveryFlows, type RecoveryFlow } from '../rules/recovery-flows.ts'
import { evacuatedText, notEvacuatedText, type GuestOutcome } from '../rules/recovery-outcome.ts'
import { actingAs, requestRetry } from './acting.ts'
import { changeHost } from './change-host.ts'
import { chooseTargets } from './choose-targets.ts'
import { evacuateInstance } from './evacuate-instance.ts'
import {
  RecoveryFailedError,
  notificationWorkflow,
  type Facts,
  type Recovered,
  type RecoveryInput,
} from './notification-flow.ts'
import { prepareInstances } from './prepare-instances.ts'
import { HostNotProvenError, proveDead } from './prove-dead.ts'
import type { RecoveryTools } from './tools.ts'
import { reserveHost, useReservedHost } from './use-reserved-host.ts'

/**
 * A host died: its guests are brought back elsewhere.
 *
 *   out of service ──▶ [ disable ──▶ fence ──▶ prepare ──▶ evacuate ] per flow ──▶ finished
 *                                      └── held until a person decides
 *
 * A flow is one way to do it (any host, or one reserved host); the segment's method says which are tried in which
 * order. Source: ha-api.md 12.
 */
export function hostFailureWorkflow(tools: RecoveryTools): WorkflowDefinition<RecoveryInput> {
  return notificationWorkflow(
    {
      name: 'host-failure',
      version: 1,
      judge: { rule: 'host report (ha-api 12.1)', apply: judgeHostReport },
      prepare: takeOutOfService,
      attempts: (context, kept, facts) => {
        const known: Known = { seen: new Map(), ended: new Map() }
        return async (attempt) => await recover(context, kept, { facts, known }, attempt)
      },
    },
    tools,
  )
}

/** What all attempts of one recovery share. */
interface Known {
  /** The guests as they were first seen. */
  readonly seen: Map<string, Instance>
  /** What became of each guest when it was last tried: no attempt may forget what an earlier one left undone. */
  readonly ended: Map<string, GuestOutcome>
}

async function takeOutOfService(context: WorkflowContext, { host }: Facts, tools: RecoveryTools): Promise<void> {
  await context.transact('out of service', host, async (queries, now) => {
    const flags = { onMaintenance: true, ...(host.reserved ? { reserved: false } : {}) }
    await changeHost(queries, tools, { uuid: host.uuid, flags, now })
  })
}

async function recover(
  context: WorkflowContext,
  tools: RecoveryTools,
  { facts, known }: { facts: Facts; known: Known },
  attempt: number,
): Promise<Recovered> {
  const candidates = await context.transact(`${attempt}/candidates`, facts.segment.uuid, async (queries) => {
    const hosts = await listReservedCandidates(queries, facts.segment.uuid)
    return hosts.map(({ uuid, name }) => ({ uuid, name }))
  })
  const inputs = { method: facts.segment.method, candidates }
  const flows = await context.decide(`${attempt}/method`, 'recovery method (ha-api 12.2)', inputs, (given) =>
    recoveryFlows(given.method, given.candidates),
  )
  if (flows.length === 0) {
    throw new RecoveryFailedError(`segment ${facts.segment.name} has no reserved host that is free`)
  }
  let certificate: FenceCertificate | undefined
  const failures: string[] = []
  for (const flow of flows) {
    const key = flow.kind === 'auto' ? `${attempt}/auto` : `${attempt}/reserved ${flow.host.name}`
    try {
      await disableHost(context, tools, facts, key)
      if (certificate === undefined || (await isExpired(context, certificate, key))) {
        certificate = await proveDead(context, tools, { host: facts.host.name, key })
      }
      return await runFlow(context, tools, { facts, known, flow, key, certificate })
    } catch (error) {
      if (!(error instanceof RecoveryFailedError) && !(error instanceof StepFailedError)) throw error
      failures.push(error.message)
      // Without a proof of death no other flow may go on either.
      if (error instanceof HostNotProvenError) break
    }
  }
  throw new RecoveryFailedError(failures.join('; '))
}

/** Whether the flows before have taken so long that the host must be looked at again. */
async function isExpired(context: WorkflowContext, { validUntil }: FenceCertificate, key: string): Promise<boolean> {
  return (await context.time(`${key}/proof looked at`)) > validUntil
}

/** Source: ha-api.md 12.3, without its fixed pause: the proof of death takes its place. */
async function disableHost(
  context: WorkflowContext,
  tools: RecoveryTools,
  { host }: Facts,
  key: string,
): Promise<void> {
  const { policy, compute } = tools
  const options = { timeoutMs: policy.requestTimeoutMs, input: host.name, retry: requestRetry(policy) }
  await context.step(`${key}/DisableComputeServiceTask`, options, async (attempt) => {
    attempt.progress(0, `Disabling compute service on host: '${host.name}'`)
    await compute.disableHost(host.name, { reason: policy.hostFailedReason }, actingAs(attempt))
    attempt.progress(1, `Disabled compute service on host: '${host.name}'`)
    return null
  })
}

/** Source: ha-api.md 12.5. */
async function runFlow(
  context: WorkflowContext,
  tools: RecoveryTools,
  run: { facts: Facts; known: Known; flow: RecoveryFlow; key: string; certificate: FenceCertificate },
): Promise<Recovered> {
  const { facts, known, flow, key, certificate } = run
  const source = facts.host.name
  if (flow.kind === 'reserved') await reserveHost(context, { host: flow.host, key })
  const undone = [...known.ended].flatMap(([uuid, { error }]) => (error === null ? [] : [uuid]))
  const chosen = await prepareInstances(context, tools, { facts, key, seen: known.seen, undone })
  if (chosen.length === 0 && known.ended.size === 0) {
    return { status: 'finished', because: `host ${source} has no guest to evacuate` }
  }
  if (flow.kind === 'reserved') await useReservedHost(context, tools, { host: flow.host, key })
  const reserved = flow.kind === 'reserved' ? flow.host.name : null
  const targets = await chooseTargets(context, tools, { key, source, reserved, instances: chosen })
  const limit = pLimit(tools.policy.evacuationsAtOnce)
  const ended = await Promise.all(
    chosen.map(
      async ({ instance, before, move }) =>
        await limit(async () => {
          const target = targets[instance.uuid] ?? null
          const evacuation = { key, move, instance, before, source, target, certificate }
          return await evacuateInstance(context, tools, evacuation)
        }),
    ),
  )
  // In the order of the plan, not of their ends: a replay must tell the same.
  for (const [index, { instance }] of chosen.entries()) known.ended.set(instance.uuid, ended[index]!)
  const guests = [...known.ended.values()]
  if (guests.some(({ error }) => error !== null)) throw new RecoveryFailedError(notEvacuatedText(guests))
  return { status: 'finished', because: evacuatedText(source, guests) }
}
