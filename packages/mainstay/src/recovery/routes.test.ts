import { afterAll, beforeAll, expect, test } from 'vitest'

import { requestContext } from '../core/context.ts'
import { silentLogger } from '../core/logging.ts'
import { Metrics } from '../core/metrics.ts'
import { defaultRules } from '../ha/index.ts'
import { Policy, UnauthorizedError, createHttpApp, registerNative, type HttpApp } from '../http/index.ts'
import { TestJournal } from '../journal/testing/start-journal.ts'
import { RecoveryDesk, recoveryRoutes } from './index.ts'

/** Every route of recoveries for every role: what the route answers to those who may, or that they may not. */

let journal: TestJournal
const apps: Record<string, HttpApp> = {}

beforeAll(async () => {
  journal = await TestJournal.open()
  const { clock, ids, store } = journal
  const logger = silentLogger()
  const desk = new RecoveryDesk({ store, clock, ids, poke: () => undefined })
  for (const roles of ['compatible', 'reader-operator'] as const) {
    const policy = new Policy({ clock, logger, defaults: defaultRules(roles) })
    const app = createHttpApp({ clock, ids, metrics: new Metrics() })
    const native = {
      clock,
      logger,
      authenticate: async ({
        headers,
        requestId,
        timestampMs,
      }: {
        headers: object
        requestId: string
        timestampMs: number
      }) => {
        const role = 'x-role' in headers ? String(headers['x-role']) : ''
        if (role === '') throw new UnauthorizedError('Who are you?')
        return requestContext({ requestId, timestampMs, roles: [role], isAdmin: role === 'admin' })
      },
    }
    await registerNative(app, native, (routes) =>
      recoveryRoutes(routes, { desk, authorize: (rule, context) => policy.authorize(rule, context) }),
    )
    apps[roles] = app
  }
})

afterAll(async () => {
  for (const app of Object.values(apps)) await app.close()
  await journal[Symbol.asyncDispose]()
})

const READ = [
  ['GET', '/api/v1/recoveries', 200],
  ['GET', '/api/v1/recoveries/nothing', 404],
] as const
const OPERATE = [
  ['POST', '/api/v1/recoveries/nothing/cancel', 404],
  ['POST', '/api/v1/recoveries/nothing/approve', 404],
  ['POST', '/api/v1/recoveries/nothing/retry', 404],
  ['POST', '/api/v1/fences', 409],
] as const
const MAY: Readonly<Record<string, readonly string[]>> = {
  'compatible read': ['admin'],
  'compatible operate': ['admin'],
  'reader-operator read': ['admin', 'reader', 'operator'],
  'reader-operator operate': ['admin', 'operator'],
}

const TABLE = ['compatible', 'reader-operator'].flatMap((roles) =>
  ['admin', 'operator', 'reader', 'member', ''].flatMap((role) => [
    ...READ.map((route) => [roles, role, 'read', ...route] as const),
    ...OPERATE.map((route) => [roles, role, 'operate', ...route] as const),
  ]),
)

test.each(TABLE)('4.3 roles %s: "%s" may %s with %s %s', async (roles, role, kind, method, url, answered) => {
  const reason = 'a test'
  const body = url.endsWith('fences') ? { host: 'h', reason, assertedBy: 'kim' } : { reason }
  const { statusCode } = await apps[roles]!.inject({
    method,
    url,
    headers: role === '' ? {} : { 'x-role': role },
    ...(method === 'POST' ? { payload: body } : {}),
  })
  const mayDo = MAY[`${roles} ${kind}`]!.includes(role)
  expect(statusCode).toBe(role === '' ? 401 : mayDo ? answered : 403)
})
