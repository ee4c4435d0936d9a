import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'

import type { SimulatedCompute } from '../compute/simulated/index.ts'
import { runningCopies } from '../compute/simulated/index.ts'
import type { Authorize, HttpApp } from '../http/index.ts'
import { OPERATE_RULE, READ_RULE, requireRule } from '../recovery/index.ts'

const Guest = Type.Object({ uuid: Type.String({ maxLength: 64 }) })
const Host = Type.Object({ name: Type.String({ maxLength: 255 }) })

const closed = { additionalProperties: false }
const name = Type.String()
const uuid = Type.String()
const state = Type.String()
const condition = Type.Enum(['serving', 'crashed', 'isolated', 'off'])
const disabledReason = Type.Unsafe<string | null>({ type: ['string', 'null'] })
const HostSummary = Type.Object({ name, condition, disabledReason, guests: Type.Integer() }, closed)
const HostGuest = Type.Object({ uuid, name, state }, closed)

/** What the OpenAPI document says of each route. */
const told = {
  fleet: {
    description: 'The hosts of the simulated fleet.',
    response: { 200: Type.Object({ hosts: Type.Array(HostSummary) }, closed) },
  },
  host: {
    description: 'One simulated host with its guests.',
    response: { 200: Type.Object({ name, condition, guests: Type.Array(HostGuest) }, closed) },
  },
  guest: {
    description: 'One simulated guest, and every host on which a copy of it runs.',
    response: { 200: Type.Object({ uuid, name, state, host: name, runsOn: Type.Array(name) }, closed) },
  },
  killGuest: { description: 'Kills a simulated guest.', response: { 200: Type.Object({ uuid }, closed) } },
  killHost: { description: 'Crashes a simulated host.', response: { 200: Type.Object({ name }, closed) } },
  powerOn: { description: 'Starts a simulated host again.', response: { 200: Type.Object({ name }, closed) } },
} as const

/**
 * What can happen to a simulated fleet from outside, for demonstrations and tests: pull a plug, kill a guest. These
 * routes exist only where the fleet is simulated, and obey the rules of recoveries.
 */
export function simulationRoutes(
  app: HttpApp,
  { simulated: { fleet }, authorize }: { simulated: SimulatedCompute; authorize: Authorize },
): void {
  const reads = async (request: FastifyRequest): Promise<void> =>
    void (await requireRule(authorize, READ_RULE, request))
  const acts = async (request: FastifyRequest): Promise<void> =>
    void (await requireRule(authorize, OPERATE_RULE, request))

  app.get('/api/v1/simulation', { schema: told.fleet, preHandler: reads }, async () => ({
    hosts: [...fleet.world.hosts.values()].map(({ name, condition, disabledReason, guests }) => ({
      name,
      condition,
      disabledReason,
      guests: guests.size,
    })),
  }))

  app.get(
    '/api/v1/simulation/hosts/:name',
    { schema: { ...told.host, params: Host }, preHandler: reads },
    async ({ params }) => {
      const host = fleet.host(params.name)
      const guests = [...host.guests].map(({ uuid, name, state }) => ({ uuid, name, state }))
      return { name: host.name, condition: host.condition, guests }
    },
  )

  app.get(
    '/api/v1/simulation/guests/:uuid',
    { schema: { ...told.guest, params: Guest }, preHandler: reads },
    async ({ params }) => {
      const { uuid, name, state, host } = fleet.guest(params.uuid)
      return { uuid, name, state, host: host.name, runsOn: runningCopies(fleet.world, uuid) }
    },
  )

  app.post(
    '/api/v1/simulation/guests/:uuid/kill',
    { schema: { ...told.killGuest, params: Guest }, preHandler: acts },
    async ({ params }) => {
      fleet.killGuest(params.uuid)
      return { uuid: params.uuid }
    },
  )

  app.post(
    '/api/v1/simulation/hosts/:name/kill',
    { schema: { ...told.killHost, params: Host }, preHandler: acts },
    async ({ params }) => {
      fleet.killHost(params.name)
      return { name: params.name }
    },
  )

  app.post(
    '/api/v1/simulation/hosts/:name/power-on',
    { schema: { ...told.powerOn, params: Host }, preHandler: acts },
    async ({ params }) => {
      fleet.powerOnHost(params.name)
      return { name: params.name }
    },
  )
}
