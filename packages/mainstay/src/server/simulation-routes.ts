import { Type } from 'typebox'

import type { SimulatedCompute } from '../compute/simulated/index.ts'
import { runningCopies } from '../compute/simulated/index.ts'
import type { HttpApp } from '../http/index.ts'

const Guest = Type.Object({ uuid: Type.String({ maxLength: 64 }) })
const Host = Type.Object({ name: Type.String({ maxLength: 255 }) })

/**
 * What can happen to a simulated fleet from outside, for demonstrations and tests: pull a plug, kill a guest. These
 * routes exist only where the fleet is simulated.
 */
export function simulationRoutes(app: HttpApp, { fleet }: SimulatedCompute): void {
  app.get('/api/v1/simulation', async () => ({
    hosts: [...fleet.world.hosts.values()].map(({ name, condition, disabledReason, guests }) => ({
      name,
      condition,
      disabledReason,
      guests: guests.size,
    })),
  }))

  app.get('/api/v1/simulation/hosts/:name', { schema: { params: Host } }, async ({ params }) => {
    const host = fleet.host(params.name)
    const guests = [...host.guests].map(({ uuid, name, state }) => ({ uuid, name, state }))
    return { name: host.name, condition: host.condition, guests }
  })

  app.get('/api/v1/simulation/guests/:uuid', { schema: { params: Guest } }, async ({ params }) => {
    const { uuid, name, state, host } = fleet.guest(params.uuid)
    return { uuid, name, state, host: host.name, runsOn: runningCopies(fleet.world, uuid) }
  })

  app.post('/api/v1/simulation/guests/:uuid/kill', { schema: { params: Guest } }, async ({ params }) => {
    fleet.killGuest(params.uuid)
    return { uuid: params.uuid }
  })

  app.post('/api/v1/simulation/hosts/:name/kill', { schema: { params: Host } }, async ({ params }) => {
    fleet.killHost(params.name)
    return { name: params.name }
  })

  app.post('/api/v1/simulation/hosts/:name/power-on', { schema: { params: Host } }, async ({ params }) => {
    fleet.powerOnHost(params.name)
    return { name: params.name }
  })
}
