import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, expect, test, vi } from 'vitest'
import { Cluster, skipReason } from '@mainstay/testkit'
import { Connection } from 'rabbitmq-client'

import { parseJson, type JsonObject } from '../../packages/mainstay/src/core/json.ts'
import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import { loadConfig, startServer, type RunningServer } from '../../packages/mainstay/src/server/index.ts'
import { needThat } from '../support/need.ts'
import { ServeClient } from '../support/serve-client.ts'

const patience = { timeout: 60_000, interval: 50 }
const HOST = 'host-001'

let cluster: Cluster | undefined
let server: RunningServer | undefined
let directory: string | undefined

afterAll(async () => {
  await server?.stop()
  await cluster?.dispose()
  if (directory !== undefined) await rm(directory, { recursive: true, force: true })
}, 60_000)

test('18 a bus that is away holds no recovery up, and hears of all of it in order when it is back', async (ctx) => {
  const reason = await skipReason('rabbitmq')
  needThat(ctx, reason === undefined, reason ?? '')
  cluster = await Cluster.create({ name: 'ha-rabbitmq-recovery' })
  const rabbit = cluster.component('rabbitmq')
  await rabbit.start()
  const url = `amqp://guest:guest@127.0.0.1:${rabbit.port}/`
  await rabbit.stop()
  directory = await mkdtemp(join(tmpdir(), 'ha-rabbitmq-recovery-'))
  const set = [
    `server.data_dir="${directory}"`,
    'server.listen="127.0.0.1:0"',
    'notifications.driver="rabbitmq"',
    `notifications.url="${url}"`,
    'notifications.poll_ms=100',
    'compute.simulated_hosts=3',
    'compute.simulated_guests=3',
    'compute.simulated_evacuate_ms=10',
    'recovery.poll_ms=20',
  ]
  server = await startServer(await loadConfig({ set }), { logger: silentLogger() })
  const client = new ServeClient(server.url)
  const segment = { name: 's', recovery_method: 'auto', service_type: 'x' }
  const made = (await client.request('POST', '/v1/segments', { segment })).body as { segment: { uuid: string } }
  const host = { name: HOST, type: 'x', control_attributes: 'x' }
  expect((await client.request('POST', `/v1/segments/${made.segment.uuid}/hosts`, { host })).status).toBe(201)
  await client.request('POST', `/api/v1/simulation/hosts/${HOST}/kill`)
  const payload = { event: 'STOPPED', cluster_status: 'OFFLINE', host_status: 'NORMAL' }
  const notification = { type: 'COMPUTE_HOST', hostname: HOST, generated_time: new Date().toISOString(), payload }
  const sent = await client.request('POST', '/v1/notifications', { notification })
  const { notification_uuid: uuid } = (sent.body as { notification: { notification_uuid: string } }).notification
  const status = async (): Promise<string> => {
    const { body } = await client.request('GET', `/v1/notifications/${uuid}`)
    return (body as { notification: { status: string } }).notification.status
  }
  await vi.waitUntil(async () => (await status()) === 'finished', patience)

  await rabbit.start()
  const listener = new Connection(url)
  const heard: JsonObject[] = []
  try {
    await expect
      .poll(async () => {
        const message = await listener.basicGet('versioned_notifications.info').catch(() => undefined)
        if (message !== undefined) {
          const outer = parseJson(String(message.body), 'a message') as Record<string, string>
          heard.push(parseJson(outer['oslo.message']!, 'inside') as JsonObject)
        }
        return heard.map(typeOf).filter((type) => /process|host.update/.test(type))
      }, patience)
      .toEqual(['notification.process.start', 'host.update.start', 'host.update.end', 'notification.process.end'])
  } finally {
    await listener.close()
  }
  const processes = heard.filter((one) => typeOf(one).startsWith('notification.process'))
  for (const one of processes) expect(one['publisher_id']).toMatch(/^masakari-engine:/)
  expect(processes.map((one) => one['payload'])).toMatchObject([
    { 'masakari_object.data': { notification_uuid: uuid, status: 'new', fault: null } },
    { 'masakari_object.data': { notification_uuid: uuid, status: 'running', fault: null } },
  ])
}, 180_000)

function typeOf({ event_type: type }: JsonObject): string {
  return typeof type === 'string' ? type : ''
}
