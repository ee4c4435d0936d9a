import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { SimulatedCompute } from '../compute/simulated/index.ts'
import { requestContext } from '../core/context.ts'
import { silentLogger } from '../core/logging.ts'
import { ManualClock } from '../core/clock.ts'
import { SystemIds } from '../core/ids.ts'
import { Metrics } from '../core/metrics.ts'
import { defaultRules } from '../ha/index.ts'
import { Policy, UnauthorizedError, createHttpApp, registerNative, type HttpApp } from '../http/index.ts'
import { computeHostRoutes } from './index.ts'

/** The policy with readers and operators, and the one that is compatible, which knows admins only. */
const apps: Record<string, HttpApp> = {}
let compute: SimulatedCompute

beforeAll(async () => {
  const [clock, ids, logger] = [new ManualClock(), new SystemIds(), silentLogger()]
  const latency = { startMs: 0, stopMs: 0, evacuateMs: 0, powerMs: 0 }
  const size = { seed: 3, hosts: 2, guests: 4, boundShare: 0, stoppedShare: 0 }
  compute = new SimulatedCompute({ clock, logger, size, latency })
  for (const roles of ['compatible', 'reader-operator'] as const) {
    const policy = new Policy({ clock, logger, defaults: defaultRules(roles) })
    const app = createHttpApp({ clock, ids, metrics: new Metrics() })
    const native = {
      clock,
      logger,
      authenticate: async ({ headers, ...request }: { headers: object; requestId: string; timestampMs: number }) => {
        const role = 'x-role' in headers ? String(headers['x-role']) : ''
        if (role === '') throw new UnauthorizedError('Who are you?')
        return requestContext({ ...request, userName: 'kim', roles: [role], isAdmin: role === 'admin' })
      },
    }
    await registerNative(app, native, (routes) =>
      computeHostRoutes(routes, {
        compute,
        ids,
        logger,
        clock,
        timeoutMs: 10_000,
        authorize: (rule, context) => policy.authorize(rule, context),
      }),
    )
    apps[roles] = app
  }
})

afterAll(async () => {
  for (const app of Object.values(apps)) await app.close()
  await compute.close()
})

const HOSTS = '/api/v1/compute-hosts'

async function ask(
  method: 'GET' | 'POST',
  url: string,
  { role = 'admin', roles = 'reader-operator', body }: { role?: string; roles?: string; body?: object } = {},
): Promise<{ statusCode: number; body: unknown }> {
  const headers = role === '' ? {} : { 'x-role': role }
  const payload = method === 'POST' ? { payload: body ?? { reason: 'a test' } } : {}
  const answer = await apps[roles]!.inject({ method, url, headers, ...payload })
  return { statusCode: answer.statusCode, body: answer.json() }
}

describe('hosts of the platform', () => {
  test('a person disables one and enables it again, and the reason names them', async () => {
    const disabled = await ask('POST', `${HOSTS}/host-001/disable`, { body: { reason: 'new memory' } })
    expect(disabled).toMatchObject({ statusCode: 200, body: { enabled: false, disabledReason: 'new memory (kim)' } })
    expect(await ask('GET', HOSTS)).toMatchObject({
      body: {
        hosts: [
          { name: 'host-001', state: 'up', enabled: false },
          { name: 'host-002', enabled: true },
        ],
      },
    })
    const enabled = await ask('POST', `${HOSTS}/host-001/enable`)
    expect(enabled).toMatchObject({ statusCode: 200, body: { enabled: true, disabledReason: null } })
  })

  test.each(['enable', 'disable'])('%s of an unknown host, or without a reason, is refused', async (action) => {
    const unknown = await ask('POST', `${HOSTS}/nowhere/${action}`)
    expect(unknown).toMatchObject({ statusCode: 404, body: { error: { code: 'MS_HOST_NOT_FOUND' } } })
    for (const body of [{}, { reason: '' }, { reason: 'w', more: 1 }]) {
      expect((await ask('POST', `${HOSTS}/host-001/${action}`, { body })).statusCode).toBe(400)
    }
  })

  const ROLES = ['admin', 'operator', 'reader', 'member', '']
  const MAY: Readonly<Record<string, readonly string[]>> = {
    'compatible read': ['admin'],
    'compatible operate': ['admin'],
    'reader-operator read': ['admin', 'reader', 'operator'],
    'reader-operator operate': ['admin', 'operator'],
  }
  const CASES = Object.keys(MAY).flatMap((who) => ROLES.map((role) => [who, role] as const))

  test.each(CASES)('4.3 %s: "%s"', async (who, role) => {
    const [roles = '', kind] = who.split(' ')
    const expected = role === '' ? 401 : MAY[who]!.includes(role) ? 200 : 403
    const asked =
      kind === 'read'
        ? [await ask('GET', HOSTS, { role, roles })]
        : [
            await ask('POST', `${HOSTS}/host-002/disable`, { role, roles }),
            await ask('POST', `${HOSTS}/host-002/enable`, { role, roles }),
          ]
    expect(new Set(asked.map(({ statusCode }) => statusCode))).toEqual(new Set([expected]))
  })
})
