import type { FastifyRequest } from 'fastify'
import type { Static, TObject, TString } from 'typebox'

import { ConflictError, type HttpApp } from '../../http/index.ts'
import { VmNotFoundError } from '../errors.ts'
import type { Batch } from '../store.ts'
import { callerOf, maySee, requireAdmin, type Caller } from './access.ts'
import { ChangedVmAnswer } from './answers.ts'
import { AdoptBody, DeleteBody, DrainBody, HoldBody, Name, ReasonBody } from './bodies.ts'
import type { OperatorRouteParts } from './operator-route-parts.ts'
import { presentVm } from './present.ts'

const DAY_MS = 86_400_000

/** A body that says why. */
type ReasonedSchema = TObject<{ reason: TString }>

/** One thing that may be done to a machine; each has a reason, and the machine is shown as it is afterwards. */
interface VmChange<Body extends ReasonedSchema> {
  /** What it is called in the audit. */
  readonly action: string
  readonly body: Body
  readonly description: string
  /** Whether the holder of the machine may do it, and not only admins. */
  readonly byHolder?: boolean
  /** Does it; a batch says whether it was refused. */
  readonly work: (name: string, body: Static<Body>, caller: Caller) => Promise<Batch | void>
}

/** What operators, and for some of it holders, do to one machine. Source: vm-pool.md C12, C20. */
export function vmChangeRoutes(app: HttpApp, { pool, store, audit }: OperatorRouteParts): void {
  const { operator } = pool
  const shown = async (name: string): Promise<ReturnType<typeof presentVm> | { readonly name: string }> => {
    const vm = await store.get(name)
    return vm === null ? { name } : presentVm(vm)
  }
  /** @throws ForbiddenError, VmNotFoundError also for a machine of somebody else */
  const requireVm = async (request: FastifyRequest, name: string, byHolder: boolean): Promise<Caller> => {
    const caller = byHolder ? callerOf(request) : requireAdmin(request)
    const vm = await store.get(name)
    if (vm === null || !maySee(caller, vm.boundToUser)) throw new VmNotFoundError(name)
    return caller
  }
  const change = <Body extends ReasonedSchema>(
    method: 'POST' | 'DELETE',
    url: string,
    { action, body, description, byHolder = false, work }: VmChange<Body>,
  ): void => {
    app.route({
      method,
      url,
      schema: { params: Name, body, response: { 200: ChangedVmAnswer }, description },
      handler: async (request) => {
        const { name } = request.params
        // The compiler cannot see through a schema that is a parameter: it is the one that was checked.
        const given = request.body as Static<Body> & { readonly reason: string }
        const caller = await requireVm(request, name, byHolder)
        refuseIfRefused(await work(name, given, caller))
        audit({ action, subject: name, actor: caller.actor, reason: given.reason })
        return await shown(name)
      },
    })
  }

  app.post(
    '/api/v1/pools/vms',
    {
      schema: {
        body: AdoptBody,
        response: { 201: ChangedVmAnswer },
        description: 'Takes a machine in that somebody else made.',
      },
    },
    async (request, reply) => {
      const { actor } = requireAdmin(request)
      const { reason, ...vm } = request.body
      await operator.adopt(vm)
      audit({ action: 'adopt', subject: vm.name, actor, reason })
      return await reply.code(201).send(await shown(vm.name))
    },
  )
  change('DELETE', '/api/v1/pools/vms/:name', {
    action: 'delete',
    body: DeleteBody,
    description: 'Destroys a machine; one in use only with force.',
    work: async (name, { force = false, reason }) => await operator.delete([name], { force, reason }),
  })
  change('POST', '/api/v1/pools/vms/:name/hold', {
    action: 'hold',
    body: HoldBody,
    description: 'Keeps a machine as it is; its holder may, too.',
    byHolder: true,
    work: async (name, { forMs = DAY_MS, reason }, { actor }) => {
      await operator.hold({ name, forMs, reason, by: actor })
    },
  })
  change('POST', '/api/v1/pools/vms/:name/unhold', {
    action: 'unhold',
    body: ReasonBody,
    description: 'Ends a hold.',
    byHolder: true,
    work: async (name) => await operator.unhold([name]),
  })
  change('POST', '/api/v1/pools/vms/:name/drain', {
    action: 'drain',
    body: DrainBody,
    description: 'Hands a machine out no more; it ends its use first.',
    work: async (name, { mode = 'terminate' }) => await operator.drain([name], mode),
  })
  change('POST', '/api/v1/pools/vms/:name/undrain', {
    action: 'undrain',
    body: ReasonBody,
    description: 'Hands a drained machine out again.',
    work: async (name) => await operator.undrain([name]),
  })
  change('POST', '/api/v1/pools/vms/:name/recheck', {
    action: 'recheck',
    body: ReasonBody,
    description: 'Checks a machine soon.',
    work: async (name) => await operator.recheck([name]),
  })
}

/** A batch of one that refused says why. @throws ConflictError */
function refuseIfRefused(batch: Batch | void): void {
  const [refused] = batch?.refused ?? []
  if (refused !== undefined) throw new ConflictError(`The machine ${refused.name} was not changed: ${refused.because}.`)
}
