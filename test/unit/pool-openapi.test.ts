import { readFile, writeFile } from 'node:fs/promises'

import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'

import { isJsonObject, parseJson, type Json, type JsonObject } from '../../packages/mainstay/src/core/json.ts'
import { NATIVE_SCHEMAS } from '../../packages/mainstay/src/http/native-operation.ts'
import { labelOptions } from '../../packages/mainstay/src/pool/testing/counts.ts'
import { servePool, type ServedPool } from '../../packages/mainstay/src/pool/testing/served-pool.ts'
import { AnswerChecker } from '../support/openapi-answers.ts'

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const COMMITTED = new URL('../../docs/reference/openapi-pools.json', import.meta.url)
const POOLS = '/api/v1/pools'
const REASON = { reason: 'a test' }

let pool: ServedPool

beforeAll(async () => {
  pool = await servePool({
    groups: [{ id: 'g', labels: ['linux'], maxTotal: 6, maxPerUser: 0 }],
    labels: [labelOptions({ label: 'g', minReady: 2 })],
  })
})

afterAll(async () => await pool[Symbol.asyncDispose]())

function described(): JsonObject {
  return {
    openapi: '3.1.1',
    info: {
      title: 'Mainstay VM pools',
      version: '1',
      description: 'Take a machine, keep it, give it back; look after the pool. How to: docs/how-to/vm-pools.md.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [{ token: [] }, { bearer: [] }],
    paths: pool.paths,
    components: {
      securitySchemes: {
        token: { type: 'apiKey', in: 'header', name: 'X-Auth-Token' },
        bearer: { type: 'http', scheme: 'bearer' },
      },
      schemas: NATIVE_SCHEMAS,
    },
  }
}

async function committed(): Promise<JsonObject> {
  const document = parseJson(await readFile(COMMITTED, 'utf8'), COMMITTED.pathname)
  if (!isJsonObject(document)) throw new Error(`${COMMITTED.pathname} is no document.`)
  return document
}

/** Asks the pool and has its answer checked. */
function asking(checker: AnswerChecker): (method: string, path: string, body?: Json) => Promise<JsonObject> {
  return async (method, path, body) => {
    const response = await fetch(`${pool.url}${POOLS}${path}`, {
      method,
      headers: {
        'x-admin': 'yes',
        'x-user': 'root',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      signal: AbortSignal.timeout(30_000),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    const contentType = response.headers.get('content-type') ?? ''
    const answer = text === '' ? '' : parseJson(text, path)
    const { status } = response
    expect(checker.problems({ method, path: `${POOLS}${path}`, status, contentType, body: answer })).toEqual([])
    return isJsonObject(answer) ? answer : {}
  }
}

/** Takes a machine. */
async function taken(ask: ReturnType<typeof asking>, more: JsonObject = {}): Promise<{ name: string; token: string }> {
  const { leases } = await ask('POST', '/leases', { worker: 'w', groups: ['g'], waitMs: 20_000, ...more })
  return (leases as unknown as { name: string; token: string }[])[0]!
}

describe('the OpenAPI description of the pools', () => {
  test('docs/reference/openapi-pools.json is current (MAINSTAY_UPDATE_DOCS=1 writes it)', async () => {
    const text = `${JSON.stringify(described(), null, 2)}\n`
    if (process.env['MAINSTAY_UPDATE_DOCS'] === '1') await writeFile(COMMITTED, text)
    expect(await readFile(COMMITTED, 'utf8')).toBe(text)
  })

  test('every operation has an id of its own, says what it does, and what it answers', async () => {
    const all = Object.values((await committed())['paths'] as JsonObject).flatMap((item) =>
      Object.values(item as JsonObject),
    ) as JsonObject[]
    expect(all.length).toBeGreaterThan(30)
    expect(new Set(all.map(({ operationId }) => operationId)).size).toBe(all.length)
    for (const { operationId, description, responses } of all) {
      expect([operationId, description]).toEqual([operationId, expect.stringMatching(/\w\.$/)])
      const { default: refused, ...done } = responses as Record<string, JsonObject>
      expect({ operationId, content: refused?.['content'] }).toEqual({
        operationId,
        content: expect.anything() as unknown,
      })
      for (const [status, { content }] of Object.entries(done)) {
        const empty = status === '204' || operationId === 'getPoolsChanges'
        expect([operationId, status, content !== undefined]).toEqual([operationId, status, !empty])
      }
    }
  })

  test('every operation answers as described, and refusals do', async () => {
    const checker = new AnswerChecker(await committed())
    const ask = asking(checker)

    for (const path of ['', '/vms?limit=5', '/requests', '/plan', '/providers', '/stats', '/failure-holds']) {
      await ask('GET', path)
    }
    await ask('POST', '/vms', { name: 'mine', group: 'g', ip: '192.0.2.9', ...REASON })
    await ask('POST', '/vms/mine/recheck', REASON)
    await ask('POST', '/vms/mine/drain', { mode: 'keep', ...REASON })
    await ask('POST', '/vms/mine/undrain', REASON)
    await ask('DELETE', '/vms/mine', { force: true, ...REASON })

    const { name, token } = await taken(ask, { requestId: 'first', taskId: 't' })
    for (const path of [
      `/vms/${name}`,
      `/vms/${name}/history`,
      `/explain/${name}`,
      '/explain/first',
      '/leases/first',
    ]) {
      await ask('GET', path)
    }
    await ask('POST', `/vms/${name}/heartbeat`, { token })
    await ask('POST', `/vms/${name}/hold`, REASON)
    await ask('POST', `/vms/${name}/unhold`, REASON)
    await ask('POST', `/vms/${name}/release`, { token })

    // A machine of a task, for whoever goes on with it; and a task that nobody knows.
    const task = await taken(ask, { taskId: 'going-on', reattach: true })
    const { token: newToken } = await ask('POST', '/reattach', { taskId: 'going-on', worker: 'another' })
    await ask('POST', '/reattach', { taskId: 'nobody knows', worker: 'another' })
    await ask('POST', `/vms/${task.name}/give-up`, { token: newToken ?? null, reason: 'it is broken' })

    // Nothing is handed out of a drained group: both wait.
    await ask('POST', '/groups/g/drain', { mode: 'keep', ...REASON })
    await ask('GET', '')
    for (const requestId of ['r1', 'r2']) {
      await ask('POST', '/leases', { worker: 'w', requestId, groups: ['g'], waitMs: 60_000, pollMs: 1 })
    }
    await ask('GET', '/leases/r2?pollMs=1')
    await ask('GET', '/requests')
    await ask('GET', '/requests/r2')
    await ask('GET', '/explain/r2')
    await ask('GET', '/plan')
    await ask('POST', '/requests/r2/reorder', { ahead: 'r1', ...REASON })
    for (const id of ['r1', 'r2']) await ask('POST', `/requests/${id}/cancel`, REASON)
    await ask('GET', '/explain/r2')

    const { id } = (await ask('POST', '/failure-holds', { label: 'linux', ...REASON })) as { id: string }
    await ask('GET', '/failure-holds')
    await ask('DELETE', `/failure-holds/${id}`)
    await ask('POST', '/groups/g/undrain', REASON)
    await ask('POST', '/providers/sim/drain', { mode: 'keep', ...REASON })
    await ask('POST', '/providers/sim/undrain', REASON)
    await ask('POST', '/providers/sim/enable', REASON)
    await ask('GET', '/providers')
    await ask('POST', '/reconcile', { dryRun: true, ...REASON })

    // Refusals are described too.
    await ask('GET', '/vms/nobody')
    await ask('GET', '/vms?limit=many')
    await ask('POST', '/leases', { worker: 'w', groups: ['nope'] })
    await ask('POST', '/vms', {})
    await ask('PUT', '/configuration', REASON)

    const stop = new AbortController()
    const changes = await fetch(`${pool.url}${POOLS}/changes`, { headers: { 'x-admin': 'yes' }, signal: stop.signal })
    const contentType = changes.headers.get('content-type') ?? ''
    expect(contentType).toBe('text/event-stream')
    const seen = { method: 'GET', path: `${POOLS}/changes`, status: changes.status, contentType, body: '' }
    expect(checker.problems(seen)).toEqual([])
    stop.abort()

    // This pool was started without a file that could be read again.
    expect(checker.unseen).toEqual([`PUT ${POOLS}/configuration`])
  })
})
