import { readFile, writeFile } from 'node:fs/promises'

import { describe, expect, test } from 'vitest'

import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { SystemIds } from '../../packages/mainstay/src/core/ids.ts'
import { isJsonObject, type JsonObject } from '../../packages/mainstay/src/core/json.ts'
import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import { Metrics } from '../../packages/mainstay/src/core/metrics.ts'
import { SeededRandom } from '../../packages/mainstay/src/core/random.ts'
import { MemoryTicketStore } from '../../packages/mainstay/src/events/access/tickets.ts'
import { COMPAT_PATH } from '../../packages/mainstay/src/events/compat/compat-endpoint.ts'
import { describeStreamRoute } from '../../packages/mainstay/src/events/compat/describe-route.ts'
import { historyRoutes } from '../../packages/mainstay/src/events/history/routes.ts'
import { MemoryEventLog } from '../../packages/mainstay/src/events/memory/log.ts'
import { eventPaths } from '../../packages/mainstay/src/events/openapi/paths.ts'
import { baremetalRoute } from '../../packages/mainstay/src/events/openstack/baremetal-route.ts'
import { BaremetalEvents } from '../../packages/mainstay/src/events/openstack/baremetal-events.ts'
import { NO_INVENTORY } from '../../packages/mainstay/src/events/openstack/command-inventory.ts'
import { DEFAULT_STREAM_OPTIONS } from '../../packages/mainstay/src/events/stream-options.ts'
import { STREAM_PATH, StreamService } from '../../packages/mainstay/src/events/stream-service.ts'
import { webhookRoutes } from '../../packages/mainstay/src/events/webhooks/routes.ts'
import { createHttpApp, noauth2, registerNative, type HttpApp } from '../../packages/mainstay/src/http/index.ts'
import { registeredRoutes } from '../../packages/mainstay/src/http/route-list.ts'

const COMMITTED = new URL('../../docs/reference/openapi-events.json', import.meta.url)

/** WebSockets are no routes of the server's router. */
const SOCKETS = [STREAM_PATH, COMPAT_PATH].map((path) => `GET ${path}`)

function document(): JsonObject {
  return {
    openapi: '3.1.1',
    info: {
      title: 'Mainstay event stream',
      version: '1',
      description:
        'Follow, ask for, and be told of what happens. Frames of the WebSockets: docs/reference/event-stream.md.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [{ token: [] }, { bearer: [] }],
    paths: eventPaths(),
    components: {
      securitySchemes: {
        token: { type: 'apiKey', in: 'header', name: 'X-Auth-Token' },
        bearer: { type: 'http', scheme: 'bearer' },
      },
    },
  }
}

/** Everything of the event stream that a server registers, without a server. */
async function registered(): Promise<string[]> {
  const [clock, ids, metrics, logger] = [new SystemClock(), new SystemIds(), new Metrics(), silentLogger()]
  const app: HttpApp = createHttpApp({ clock, ids, metrics })
  const log = new MemoryEventLog({ clock })
  const deps = { log, clock, ids, metrics, logger, random: new SeededRandom(1), authenticate: noauth2 }
  const stream = new StreamService({ ...deps, tickets: new MemoryTicketStore() }, DEFAULT_STREAM_OPTIONS)
  await stream.serve(app)
  await registerNative(app, { clock, logger, authenticate: noauth2 }, async (routes) => {
    historyRoutes(routes, { log })
    // Nobody calls them here.
    webhookRoutes(routes, undefined as never)
    describeStreamRoute(routes)
    const baremetal = new BaremetalEvents({ tasks: NO_INVENTORY, logger })
    await baremetalRoute(routes, {
      clock,
      ingest: { accept: async () => ({ duplicates: 0, spooled: false }) },
      baremetal,
    })
  })
  const routes = registeredRoutes(app)
  await app.close()
  await log.close()
  return routes.filter((route) => route.includes(' /v1/')).map((route) => route.replace(/:(\w+)/g, '{$1}'))
}

function operations(): [route: string, operation: JsonObject][] {
  return Object.entries(eventPaths()).flatMap(([path, item]) =>
    Object.entries(isJsonObject(item) ? item : {}).map(([method, operation]): [string, JsonObject] => [
      `${method.toUpperCase()} ${path}`,
      isJsonObject(operation) ? operation : {},
    ]),
  )
}

describe('the OpenAPI description of the event stream', () => {
  test('docs/reference/openapi-events.json is current (MAINSTAY_UPDATE_DOCS=1 writes it)', async () => {
    const text = `${JSON.stringify(document(), null, 2)}\n`
    if (process.env['MAINSTAY_UPDATE_DOCS'] === '1') await writeFile(COMMITTED, text)
    expect(await readFile(COMMITTED, 'utf8')).toBe(text)
  })

  test('every route is described, and what is described is a route', async () => {
    const described = operations().map(([route]) => route)
    expect(described.filter((route) => !SOCKETS.includes(route)).sort()).toEqual((await registered()).sort())
    expect(described).toEqual(expect.arrayContaining(SOCKETS))
  })

  test('every operation has an id of its own, a description and answers', () => {
    const all = operations()
    expect(new Set(all.map(([, { operationId }]) => operationId)).size).toBe(all.length)
    for (const [route, { description, responses }] of all) {
      expect([route, description, Object.keys(responses as JsonObject).length > 0]).toEqual([
        route,
        expect.stringMatching(/\.$/),
        true,
      ])
    }
  })
})
