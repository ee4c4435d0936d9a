import { afterAll, expect, test, vi } from 'vitest'
import { Cluster, skipReason } from '@mainstay/testkit'
import { serveSpec } from 'mainstay/testkit'
import { Connection } from 'rabbitmq-client'

import { parseJson, type JsonObject } from '../../packages/mainstay/src/core/json.ts'
import { needThat } from '../support/need.ts'
import { ServeClient } from '../support/serve-client.ts'

const patience = { timeout: 60_000, interval: 50 }
const HOST = 'host-001'

let cluster: Cluster | undefined

afterAll(async () => void (await cluster?.dispose()), 60_000)

test('18 a bus that is away holds no recovery up, and hears of all of it in order when it is back', async (ctx) => {
  const reason = await skipReason('rabbitmq')
  needThat(ctx, reason === undefined, reason ?? '')
  cluster = await Cluster.create({ name: 'ha-rabbitmq-recovery', mode: 'inline' })
  const rabbit = cluster.component('rabbitmq')
  await rabbit.start()
  const url = `amqp://guest:guest@127.0.0.1:${rabbit.port}/`
  await rabbit.stop()
  const config = {
    log: { level: 'silent' },
    notifications: { driver: 'rabbitmq', url, poll_ms: 100 },
    compute: { simulated_hosts: 3, simulated_guests: 3, simulated_evacuate_ms: 10 },
    recovery: { poll_ms: 20 },
  }
  const server = cluster.add(serveSpec({ config, dependsOn: ['rabbitmq'] }))
  await server.start()
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
