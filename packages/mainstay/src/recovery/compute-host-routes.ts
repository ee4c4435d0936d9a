import { Type } from 'typebox'

import type { Acting, Compute } from '../compute/index.ts'
import type { Clock } from '../core/clock.ts'
import { withDeadline } from '../core/deadline.ts'
import type { Ids } from '../core/ids.ts'
import type { Logger } from '../core/logging.ts'
import { requestContextOf, type Authorize, type HttpApp } from '../http/index.ts'
import { OPERATE_RULE, READ_RULE, requireRule } from './require-rule.ts'

export interface ComputeHostRoutesDeps {
  readonly compute: Compute
  readonly authorize: Authorize
  readonly ids: Ids
  readonly clock: Clock
  readonly logger: Logger
  /** How long the platform may take to answer, in milliseconds. */
  readonly timeoutMs: number
}

const Name = Type.Object({ name: Type.String({ minLength: 1, maxLength: 255 }) })
const Reason = Type.Object({ reason: Type.String({ minLength: 1, maxLength: 1000 }) }, { additionalProperties: false })
const Nullable = Type.Union([Type.String(), Type.Null()])
const HostAnswer = Type.Object({
  name: Type.String(),
  state: Type.Union([Type.Literal('up'), Type.Literal('down'), Type.Literal('unknown')]),
  enabled: Type.Boolean(),
  disabledReason: Nullable,
  memoryMib: Type.Number(),
  freeMemoryMib: Type.Number(),
  vcpus: Type.Number(),
})
const HostsAnswer = Type.Object({ hosts: Type.Array(HostAnswer) })

const told = {
  list: { description: `Hosts as the compute platform has them. Policy rule: ${READ_RULE}` },
  enable: {
    description: `Lets new guests be placed on a host again: after its repair, nobody else does. Policy rule: ${OPERATE_RULE}`,
  },
  disable: { description: `Keeps new guests away from a host. Policy rule: ${OPERATE_RULE}` },
} as const

/** What a person does belongs to no workflow, whose tokens begin with 1. */
const NO_FENCE = 0

/** What a person may ask of the hosts themselves. Source: ha-api.md 12, a failed host is disabled. */
export function computeHostRoutes(app: HttpApp, deps: ComputeHostRoutesDeps): void {
  const { compute, authorize, ids, logger, clock, timeoutMs } = deps
  const within = async <T>(what: string, ask: (signal: AbortSignal) => Promise<T>): Promise<T> => {
    return await withDeadline({ clock, what, timeoutMs }, ask)
  }

  app.get('/api/v1/compute-hosts', { schema: { ...told.list, response: { 200: HostsAnswer } } }, async (request) => {
    await requireRule(authorize, READ_RULE, request)
    return { hosts: await within('Listing the hosts', async (signal) => await compute.listHosts({ signal })) }
  })

  for (const action of ['enable', 'disable'] as const) {
    const schema = { ...told[action], params: Name, body: Reason, response: { 200: HostAnswer } }
    app.post(`/api/v1/compute-hosts/:name/${action}`, { schema }, async (request) => {
      const by = await requireRule(authorize, OPERATE_RULE, request)
      const { name } = request.params
      const { reason } = request.body
      await within(`To ${action} host ${name}`, async (signal) => {
        const acting: Acting = { key: ids.ordered(), fence: NO_FENCE, signal }
        if (action === 'enable') await compute.enableHost(name, acting)
        else await compute.disableHost(name, { reason: `${reason} (${by})` }, acting)
      })
      const { requestId } = requestContextOf(request)
      logger.info({ host: name, by, reason, requestId }, `Host ${name} was ${action}d`)
      return await within(`Looking at host ${name}`, async (signal) => await compute.findHost(name, { signal }))
    })
  }
}
