import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'

import { SimulatedCompute } from '../compute/simulated/index.ts'
import { ManualClock } from '../core/clock.ts'
import { silentLogger } from '../core/logging.ts'
import { ROLES, ROLE_SETS, RoleApps, mayDo } from '../recovery/testing/role-apps.ts'
import { simulationRoutes } from './simulation-routes.ts'

const clock = new ManualClock()
let compute: SimulatedCompute
let apps: RoleApps

beforeAll(async () => {
  const latency = { startMs: 0, stopMs: 0, evacuateMs: 0, powerMs: 0 }
  const size = { seed: 3, hosts: 2, guests: 12, boundShare: 0, stoppedShare: 0 }
  compute = new SimulatedCompute({ clock, logger: silentLogger(), size, latency })
  apps = await RoleApps.start(clock, (native, authorize) => simulationRoutes(native, { simulated: compute, authorize }))
})

afterAll(async () => {
  await apps[Symbol.asyncDispose]()
  await compute.close()
})

beforeEach(() => compute.fleet.powerOnHost('host-001'))

/** One that nobody has killed yet. */
const guest = (): string => [...compute.fleet.host('host-002').guests].find(({ runs }) => runs)!.uuid

const CASES = [
  { what: 'valid', method: 'GET', path: '', kind: 'read', status: 200 },
  { what: 'valid', method: 'GET', path: '/hosts/host-001', kind: 'read', status: 200 },
  { what: 'valid', method: 'GET', path: '/guests/{guest}', kind: 'read', status: 200 },
  { what: 'valid', method: 'POST', path: '/guests/{guest}/kill', kind: 'operate', status: 200 },
  { what: 'valid', method: 'POST', path: '/hosts/host-001/kill', kind: 'operate', status: 200 },
  { what: 'valid', method: 'POST', path: '/hosts/host-001/power-on', kind: 'operate', status: 200 },
  { what: 'missing', method: 'GET', path: '/hosts/nowhere', kind: 'read', status: 404 },
  { what: 'missing', method: 'GET', path: '/guests/nobody', kind: 'read', status: 404 },
  { what: 'missing', method: 'POST', path: '/guests/nobody/kill', kind: 'operate', status: 404 },
  { what: 'missing', method: 'POST', path: '/hosts/nowhere/kill', kind: 'operate', status: 404 },
  { what: 'missing', method: 'POST', path: '/hosts/nowhere/power-on', kind: 'operate', status: 404 },
  { what: 'missing', method: 'GET', path: '/hosts', kind: 'anybody', status: 404 },
  { what: 'invalid', method: 'GET', path: `/hosts/${'x'.repeat(256)}`, kind: 'anybody', status: 400 },
  { what: 'invalid', method: 'POST', path: `/guests/${'x'.repeat(65)}/kill`, kind: 'anybody', status: 400 },
] as const

const TABLE = CASES.flatMap((given) => ROLE_SETS.flatMap((roles) => ROLES.map((role) => ({ ...given, roles, role }))))

test.each(TABLE)(
  '4.3 $roles, "$role": $method $path of the simulated fleet, $what',
  async ({ roles, role, kind, status, method, path }) => {
    const url = `/api/v1/simulation${path.replace('{guest}', guest())}`
    const got = await apps.ask(roles, role, { method, url })
    const allowed = kind === 'anybody' || mayDo(roles, role, kind)
    expect(got.status).toBe(role === '' ? 401 : allowed ? status : 403)
    const killed = got.status === 200 && path === '/hosts/host-001/kill'
    expect(compute.fleet.host('host-001').condition).toBe(killed ? 'crashed' : 'serving')
  },
)
