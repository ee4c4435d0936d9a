import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { Agent, request, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect, onTestFinished, test } from 'vitest'

import { insertHost } from '../../packages/mainstay/src/ha/store/hosts.ts'
import { insertNotification } from '../../packages/mainstay/src/ha/store/notifications.ts'
import { insertSegment } from '../../packages/mainstay/src/ha/store/segments.ts'
import { SqliteStore } from '../../packages/mainstay/src/store/index.ts'
import { waitUntil } from '../real/lab/wait-until.ts'
import { ServeProcess } from '../support/serve-process.ts'

const PATIENCE_MS = 30_000
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** Reports that no recovery was stored with, as an older installation leaves them. */
const OLD = '00000000-0000-4000-8000-00000000000a'
const YOUNG = '00000000-0000-4000-8000-00000000000b'

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'mainstay-reload-'))
  onTestFinished(async () => await rm(made, { recursive: true, force: true }))
  return made
}

/** A data directory with two such reports: of two days ago, and of an hour ago. */
async function storeReports(dataDir: string): Promise<void> {
  const store = SqliteStore.open({ path: join(dataDir, 'mainstay.db') })
  await store.migrate()
  const now = Date.now()
  await store.write(async (queries) => {
    const segment = { uuid: 's', name: 's', serviceType: 'COMPUTE', recoveryMethod: 'auto', enabled: true } as const
    await insertSegment(queries, { ...segment, description: null }, now)
    const host = { uuid: 'h', name: 'host-001', segmentUuid: 's', type: 'COMPUTE', controlAttributes: 'SSH' }
    await insertHost(queries, { ...host, reserved: false, onMaintenance: false }, now)
    const report = { sourceHostUuid: 'h', type: 'PROCESS', segmentUuid: 's', idempotencyKey: null } as const
    const payload = { event: 'STARTED', process_name: 'nova-compute' }
    for (const [uuid, ageMs] of [
      [OLD, 2 * DAY_MS],
      [YOUNG, HOUR_MS],
    ] as const) {
      await insertNotification(queries, { ...report, uuid, payload, generatedTime: now - ageMs }, now)
    }
  })
  await store.close()
}

interface Mutable {
  readonly level: string
  readonly retryNewAfterMs: number
}

function configuration(policy: string, { level, retryNewAfterMs }: Mutable): string {
  return `
[compute]
simulated_hosts = 2
simulated_guests = 0
[http]
access_log = true
[log]
level = "${level}"
[policy]
file = "${policy}"
[ha]
retry_interval_ms = 1000
expire_after_ms = ${30 * DAY_MS}
retry_new_after_ms = ${retryNewAfterMs}
`
}

test('20.2 SIGHUP takes over the policy, the level of the log and an age, and refuses what is wrong, while a request runs', async () => {
  const directory = await folder()
  const [file, policy] = [join(directory, 'mainstay.toml'), join(directory, 'policy.yaml')]
  await storeReports(directory)
  await writeFile(policy, '"os_masakari_api:extensions:index": "@"')
  await writeFile(file, configuration(policy, { level: 'warn', retryNewAfterMs: DAY_MS }))
  const server = await ServeProcess.start({ dataDir: directory, config: file })
  onTestFinished(async () => await server.kill())

  const until = async (what: string, holds: () => boolean | Promise<boolean>): Promise<void> => {
    await waitUntil(holds, { timeoutMs: PATIENCE_MS, what })
  }
  const statusOf = async (path: string): Promise<number> => (await server.client.request('GET', path)).status
  const stateOf = async (id: string): Promise<string> => {
    const { body } = await server.client.request('GET', `/v1/notifications/${id}`)
    return (body as { notification: { status: string } }).notification.status
  }
  const times = (text: string): number => server.printed().split(text).length - 1
  const hangUp = async (answer: string): Promise<void> => {
    const before = times(answer)
    server.signal('SIGHUP')
    await until(`"${answer}" after SIGHUP`, () => times(answer) > before)
  }
  const taken = 'The configuration was read again.'
  const refused = 'mainstay: the configuration was not taken over: '

  // The pass has run: it took the one that is older than a day, and left the other.
  await until('the report of two days ago taken up', async () => (await stateOf(OLD)) !== 'new')
  expect(await stateOf(YOUNG)).toBe('new')
  expect(await statusOf('/v1/extensions')).toBe(200)
  expect(times('GET /v1/extensions')).toBe(0)

  const body = JSON.stringify({ segment: { name: 's1', recovery_method: 'auto', service_type: 'COMPUTE' } })
  const agent = new Agent({ keepAlive: true })
  onTestFinished(() => agent.destroy())
  const running = request(`${server.url}/v1/segments`, {
    method: 'POST',
    agent,
    headers: { 'content-type': 'application/json', 'content-length': body.length, expect: '100-continue' },
  })
  running.flushHeaders()
  await once(running, 'continue')
  running.write(body.slice(0, 10))

  // Wrong in four ways; nothing of it is taken over, and each is said clearly.
  const wrong: [text: string, complaint: string][] = [
    ['[log]\nlevel = "loud"\n', 'log.level'],
    ['[ha]\nretry_new_after_ms = "soon"\n', 'ha.retry_new_after_ms'],
    ['[ha]\nretry_new_after = 1\n', 'There is no option ha.retry_new_after.'],
    ['[ha\n', file],
  ]
  await writeFile(policy, '"os_masakari_api:extensions:index": "role:nobody and"')
  for (const [text, complaint] of wrong) {
    await writeFile(file, text)
    await hangUp(refused)
    expect(server.printed().split(refused).at(-1)?.split('\n', 1)[0]).toContain(complaint)
  }
  expect(await statusOf('/v1/extensions')).toBe(200)
  expect(times('GET /v1/extensions')).toBe(0)
  expect(await stateOf(YOUNG)).toBe('new')

  // A policy file that cannot be read leaves the rules as they were, and the rest is taken over.
  await writeFile(file, configuration(policy, { level: 'info', retryNewAfterMs: DAY_MS }))
  await hangUp(taken)
  await until('the complaint about the policy', () => times('The rules stay as they were') > 0)
  expect(await statusOf('/v1/extensions')).toBe(200)
  await until('a line for each request', () => times('GET /v1/extensions') > 0)

  await writeFile(policy, '"os_masakari_api:extensions:index": "!"')
  await writeFile(file, configuration(policy, { level: 'error', retryNewAfterMs: 60_000 }))
  await hangUp(taken)
  expect(await statusOf('/v1/extensions')).toBe(403)
  await until('the report of an hour ago taken up', async () => (await stateOf(YOUNG)) !== 'new')

  const answered = once(running, 'response') as Promise<[IncomingMessage]>
  running.end(body.slice(10))
  const [response] = await answered
  response.resume()
  expect(response.statusCode).toBe(201)
  expect((await server.stop()).code).toBe(0)
}, 120_000)
