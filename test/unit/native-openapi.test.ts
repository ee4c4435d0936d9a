import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'

import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { withDeadline } from '../../packages/mainstay/src/core/deadline.ts'
import { isJsonObject, parseJson, type Json, type JsonObject } from '../../packages/mainstay/src/core/json.ts'
import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import { loadConfig } from '../../packages/mainstay/src/server/config/load.ts'
import { startServer, type RunningServer } from '../../packages/mainstay/src/server/start-server.ts'
import { AnswerChecker } from '../support/openapi-answers.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const COMMITTED = new URL('../../docs/reference/openapi-native.json', import.meta.url)
const HA = new URL('../../docs/reference/openapi-ha.json', import.meta.url)

const SETTINGS = [
  'server.listen=127.0.0.1:0',
  'compute.simulated_hosts=4',
  'compute.simulated_guests=12',
  'compute.simulated_start_ms=10',
  'compute.simulated_evacuate_ms=10',
  // No host is proved dead: every recovery of one waits for a person.
  'compute.simulated_power_ms=60000',
  'recovery.fence_timeout_ms=100',
]

const clock = new SystemClock()
const cleanup = new AsyncDisposableStack()
let server: RunningServer

beforeAll(async () => {
  const directory = await mkdtemp(join(tmpdir(), 'mainstay-openapi-'))
  cleanup.defer(async () => await rm(directory, { recursive: true }))
  const config = await loadConfig({ set: [...SETTINGS, `server.data_dir=${directory}`] })
  server = await startServer(config, { logger: silentLogger() })
  cleanup.defer(async () => await server.stop())
})

afterAll(async () => await cleanup.disposeAsync())

/** The part of the description that is about native routes; pools and events have descriptions of their own. */
async function nativeDocument(): Promise<JsonObject> {
  const served = await (await fetch(`${server.url}/api/v1/openapi.json`)).json()
  const { paths, components, ...rest } = served as Record<'paths' | 'components', JsonObject> & JsonObject
  const own = Object.entries(paths).filter(([path]) => path.startsWith('/api/v1/') && !path.startsWith('/api/v1/pools'))
  const { securitySchemes, schemas } = components as Record<'securitySchemes' | 'schemas', JsonObject>
  return {
    ...rest,
    info: {
      ...(rest['info'] as JsonObject),
      title: 'Mainstay native API',
      description: 'Pools and events stand elsewhere.',
    },
    paths: Object.fromEntries(own),
    components: { securitySchemes, schemas: { NativeError: schemas['NativeError'] ?? null } },
  }
}

async function committed(file: URL): Promise<JsonObject> {
  const document = parseJson(await readFile(file, 'utf8'), file.pathname)
  if (!isJsonObject(document)) throw new Error(`${file.pathname} is no document.`)
  return document
}

/** Asks the server and has its answer checked. */
function asking(checker: AnswerChecker): (method: string, path: string, body?: Json) => Promise<JsonObject> {
  return async (method, path, body) => {
    const response = await fetch(server.url + path, {
      method,
      headers: {
        'OpenStack-API-Version': 'instance-ha 1.3',
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    const contentType = response.headers.get('content-type') ?? ''
    const answer = contentType.includes('json') && text !== '' ? parseJson(text, path) : text
    expect(checker.problems({ method, path, status: response.status, contentType, body: answer })).toEqual([])
    return isJsonObject(answer) ? answer : {}
  }
}

describe('the OpenAPI description of the native API', () => {
  test('docs/reference/openapi-native.json is current (MAINSTAY_UPDATE_DOCS=1 writes it)', async () => {
    const text = `${JSON.stringify(await nativeDocument(), null, 2)}\n`
    if (process.env['MAINSTAY_UPDATE_DOCS'] === '1') await writeFile(COMMITTED, text)
    expect(await readFile(COMMITTED, 'utf8')).toBe(text)
  })

  test('every operation has an id of its own, says what it does, and what it answers', async () => {
    const { paths } = await committed(COMMITTED)
    const all = Object.values(paths as JsonObject).flatMap((item) => Object.values(item as JsonObject)) as JsonObject[]
    expect(new Set(all.map(({ operationId }) => operationId)).size).toBe(all.length)
    for (const { operationId, description, responses } of all) {
      const content = { 'application/json': { schema: expect.anything() as unknown } }
      expect({ operationId, description, responses }).toMatchObject({
        description: expect.stringMatching(/\w/) as unknown,
        responses: { 200: { content }, default: { content } },
      })
    }
  })
})

describe('answers are what the descriptions say', () => {
  const told = { code: 'MS_X', message: 'm', requestId: 'r', retryable: false }
  test.each<[what: string, path: string, status: number, contentType: string, body: Json, fits: boolean]>([
    ['as described', '/api/v1/recoveries', 200, 'application/json; charset=utf-8', { recoveries: [] }, true],
    ['an error', '/api/v1/recoveries', 404, 'application/json', { error: told }, true],
    ['a member too many', '/api/v1/recoveries', 200, 'application/json', { recoveries: [], more: 1 }, false],
    ['a member of another type', '/api/v1/recoveries', 200, 'application/json', { recoveries: {} }, false],
    [
      'an error without its code',
      '/api/v1/recoveries',
      404,
      'application/json',
      { error: { ...told, code: null } },
      false,
    ],
    ['another media type', '/api/v1/recoveries', 200, 'text/html', '', false],
    ['another path', '/api/v1/recoveries/a/b', 200, 'application/json', {}, false],
  ])('the comparison itself: %s', async (_what, path, status, contentType, body, fits) => {
    const checker = new AnswerChecker(await committed(COMMITTED))
    const problems = checker.problems({ method: 'GET', path, status, contentType, body })
    expect(problems.length === 0).toBe(fits)
  })

  test('every operation of the HA API and of the native API, and refusals', async () => {
    const native = new AnswerChecker(await committed(COMMITTED))
    const ha = new AnswerChecker(await committed(HA))
    const [ask, askHa] = [asking(native), asking(ha)]

    for (const path of [
      '/',
      '/healthcheck',
      '/v1/',
      '/v1/versions/v1.0',
      '/v1/extensions',
      '/v1/extensions/segments',
    ]) {
      await askHa('GET', path)
    }
    const wanted = { name: 's1', recovery_method: 'auto', service_type: 'COMPUTE' }
    const { segment } = await askHa('POST', '/v1/segments', { segment: wanted })
    const { uuid } = segment as { uuid: string }
    const place = `/v1/segments/${uuid}`
    await askHa('PUT', place, { segment: { description: 'two\nlines' } })
    const hosts: string[] = []
    for (const name of ['host-001', 'host-002', 'host-003']) {
      const { host } = await askHa('POST', `${place}/hosts`, {
        host: { name, type: 'COMPUTE', control_attributes: 'SSH' },
      })
      hosts.push((host as { uuid: string }).uuid)
    }
    await askHa('PUT', `${place}/hosts/${hosts[2]}`, { host: { reserved: true } })
    for (const path of ['/v1/segments', place, `${place}/hosts`, `${place}/hosts/${hosts[0]}`]) await askHa('GET', path)
    await askHa('DELETE', `${place}/hosts/${hosts[2]}`)
    const { segment: other } = await askHa('POST', '/v1/segments', { segment: { ...wanted, name: 's2' } })
    await askHa('DELETE', `/v1/segments/${(other as { uuid: string }).uuid}`)

    await ask('GET', '/api/v1/openapi.json')
    await ask('GET', '/api/v1/simulation')
    await ask('POST', '/api/v1/simulation/hosts/host-001/kill')
    const { guests } = await ask('GET', '/api/v1/simulation/hosts/host-002')
    const [guest] = guests as unknown as { uuid: string }[]
    await ask('GET', `/api/v1/simulation/guests/${guest?.uuid}`)
    await ask('POST', `/api/v1/simulation/guests/${guest?.uuid}/kill`)
    await ask('POST', '/api/v1/simulation/hosts/host-004/power-on')
    await ask('GET', '/api/v1/compute-hosts')
    await ask('POST', '/api/v1/compute-hosts/host-004/disable', { reason: 'a test' })
    await ask('POST', '/api/v1/compute-hosts/host-004/enable', { reason: 'a test' })

    const payload = { event: 'STOPPED', host_status: 'NORMAL', cluster_status: 'OFFLINE' }
    const report = { type: 'COMPUTE_HOST', hostname: 'host-001', generated_time: '2026-01-01T00:00:00Z', payload }
    const { notification } = await askHa('POST', '/v1/notifications', { notification: report })
    const { notification_uuid: id } = notification as { notification_uuid: string }
    const recovery = `/api/v1/recoveries/${id}`
    const reaches = async (wantedStatus: string): Promise<void> =>
      await withDeadline({ clock, what: `A ${wantedStatus} recovery`, timeoutMs: 40_000 }, async (signal) => {
        while ((await ask('GET', recovery))['status'] !== wantedStatus) await clock.sleep(50, { signal })
      })
    await reaches('held')
    await ask('POST', `${recovery}/approve`, { reason: 'a test' })
    await ask('POST', `${recovery}/retry`, { reason: 'a test' })
    await reaches('held')
    await ask('POST', '/api/v1/fences', { host: 'host-001', reason: 'I have seen it', assertedBy: 'kim' })
    await reaches('completed')
    await ask('GET', '/api/v1/recoveries')

    const notice = `/v1/notifications/${id}`
    await askHa('GET', '/v1/notifications')
    const shown = (await askHa('GET', notice))['notification'] as JsonObject
    expect(shown['recovery_workflow_details']).not.toEqual([])
    const { vmoves } = await askHa('GET', `${notice}/vmoves`)
    const [move] = vmoves as unknown as { uuid: string }[]
    await askHa('GET', `${notice}/vmoves/${move?.uuid}`)

    const { notification: second } = await askHa('POST', '/v1/notifications', {
      notification: { ...report, hostname: 'host-002' },
    })
    const another = `/api/v1/recoveries/${(second as { notification_uuid: string }).notification_uuid}`
    await ask('POST', `${another}/cancel`, { reason: 'a test' })

    // Refusals and failures are described too.
    const nothing = '7c4c5b1e-1c52-4c0a-bd4d-2f1f5f3f0d11'
    await ask('GET', '/api/v1/recoveries/nothing')
    await ask('GET', '/api/v1/recoveries?limit=many')
    await ask('POST', '/api/v1/fences', { host: 5 })
    await ask('GET', '/api/v1/simulation/hosts/nowhere')
    await askHa('GET', `/v1/segments/${nothing}`)
    await askHa('POST', '/v1/segments', { segment: wanted })
    await askHa('GET', '/v1/segments?limit=-1')

    expect(ha.unseen).toEqual([])
    // Approving is refused whatever a recovery waits for, today.
    expect(native.unseen).toEqual(['POST /api/v1/recoveries/{id}/approve'])
  })
})
