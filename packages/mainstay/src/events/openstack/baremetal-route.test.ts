import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { SystemClock } from '../../core/clock.ts'
import { requestContext } from '../../core/context.ts'
import { SystemIds } from '../../core/ids.ts'
import { toJson } from '../../core/json.ts'
import { Metrics } from '../../core/metrics.ts'
import { createHttpApp, registerNative, type HttpApp } from '../../http/index.ts'
import { LogLines } from '../compat/testing/log-lines.ts'
import { EventLogUnavailableError } from '../errors.ts'
import type { Ingest } from '../ingest.ts'
import { MemoryEventLog } from '../memory/log.ts'
import { BaremetalEvents, type InventoryTasks } from './baremetal-events.ts'
import { BAREMETAL_PATH, baremetalRoute } from './baremetal-route.ts'
import { notification, type NotificationMembers } from './testing/notification.ts'

const clock = new SystemClock()
let app: HttpApp
let log: MemoryEventLog
let lines: LogLines
let states: (string | null)[]
let failure: Error | undefined
let away: Error | undefined

beforeEach(async () => {
  log = new MemoryEventLog({ clock })
  lines = new LogLines()
  states = []
  failure = away = undefined
  const setState = async (_node: string, state: string | null): Promise<void> => {
    if (failure !== undefined) throw failure
    states.push(state)
  }
  const tasks: InventoryTasks = { setPowerState: setState, setProvisionState: setState, setMaintenance: async () => {} }
  const ingest: Pick<Ingest, 'accept'> = {
    accept: async (batch) => {
      if (away !== undefined) throw away
      const { duplicates } = await log.append(batch)
      return { duplicates, spooled: false }
    },
  }
  app = createHttpApp({ clock, ids: new SystemIds(), metrics: new Metrics() })
  const native = {
    clock,
    logger: lines.logger,
    authenticate: async ({
      headers,
      requestId,
      timestampMs,
    }: Parameters<typeof requestContext>[0] & { headers: object }) =>
      requestContext({
        requestId,
        timestampMs,
        isAdmin: !('x-roles' in headers),
        roles: 'x-roles' in headers ? [String(headers['x-roles'])] : [],
      }),
  }
  await registerNative(app, native, async (routes) => {
    await baremetalRoute(routes, { clock, ingest, baremetal: new BaremetalEvents({ tasks, logger: lines.logger }) })
  })
})

afterEach(async () => {
  await app.close()
  await log.close()
})

async function post(
  payload: string | object,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: string }> {
  const answer = await app.inject({
    method: 'POST',
    url: BAREMETAL_PATH,
    headers: { 'content-type': 'application/json', ...headers },
    payload: typeof payload === 'string' ? payload : toJson(payload),
  })
  return { status: answer.statusCode, body: answer.body }
}

describe('POST /v1/notifications/baremetal (event-stream 6)', () => {
  test('204: the event is in the stream, and the inventory is told', async () => {
    expect(await post({ ...notification(), more: 'is ignored' })).toEqual({ status: 204, body: '' })
    const [event] = await log.read({ after: 0, limit: 10 })
    expect(event).toMatchObject({
      id: '0a3b4c1e-7d0f-4b83-9a53-66b6b1a1c001',
      event_type: 'baremetal.node.power_set.end',
      node_name: 'node-1',
      resource_id: 'u-1',
      canonical_service: 'ironic',
    })
    expect(states).toEqual(['power on'])
  })

  test('what is reported twice is stored once', async () => {
    expect((await post(notification())).status).toBe(204)
    expect((await post(notification())).status).toBe(204)
    expect((await log.extent()).head).toBe(1)
  })

  const without = (name: string): NotificationMembers => ({ ...notification(), [name]: undefined })

  test.each<[string, string | object]>([
    ['no JSON', '{not json'],
    ['nothing', ''],
    ['a list', '[]'],
    ['no priority', without('priority')],
    ['no event type', without('event_type')],
    ['no timestamp', without('timestamp')],
    ['no publisher', without('publisher_id')],
    ['no message id', without('message_id')],
    ['no payload', without('payload')],
    ['a priority that is a number', notification({ priority: 1 })],
    ['a message id that is no UUID', notification({ message_id: 'm-1' })],
    ['a payload that is a list', notification({ payload: [] })],
  ])('422: %s', async (_what, body) => {
    const answer = await post(body)
    expect(answer.status).toBe(422)
    expect(answer.body).toContain('MS_NOTIFICATION_INVALID')
    expect((await log.extent()).head).toBe(0)
  })

  test('500: an inventory that fails is not described, and the same report works later', async () => {
    failure = new TypeError('secret detail')
    const answer = await post(notification())
    expect(answer.status).toBe(500)
    expect(answer.body).not.toContain('secret detail')
    expect(lines.at('error')).toHaveLength(1)
    failure = undefined
    expect((await post(notification())).status).toBe(204)
    expect([states, (await log.extent()).head]).toEqual([['power on'], 1])
  })

  test('500: a type that needs object data, without it', async () => {
    expect((await post(notification({ payload: {} }))).status).toBe(500)
  })

  test('503: a store that is away', async () => {
    away = new EventLogUnavailableError('away')
    expect((await post(notification())).status).toBe(503)
    expect(states).toEqual([])
  })

  test.each([
    ['service', 204],
    ['events:write', 204],
    ['reader', 403],
  ])('the role %s gets %i', async (role, status) => {
    expect((await post(notification(), { 'x-roles': role })).status).toBe(status)
  })
})
