import { afterAll, expect, test } from 'vitest'
import { Cluster, skipReason } from '@mainstay/testkit'
import { Connection } from 'rabbitmq-client'

import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { SystemIds } from '../../packages/mainstay/src/core/ids.ts'
import { parseJson, type JsonObject } from '../../packages/mainstay/src/core/json.ts'
import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import { RabbitmqNotifier } from '../../packages/mainstay/src/ha/index.ts'
import { startHa } from '../../packages/mainstay/src/ha/testing/start-ha.ts'
import { needThat } from '../support/need.ts'

let cluster: Cluster | undefined

afterAll(async () => {
  await cluster?.dispose()
})

test('events of the HA API reach the queues of oslo.messaging, and a bus that is away stops nothing', async (ctx) => {
  const reason = await skipReason('rabbitmq')
  needThat(ctx, reason === undefined, reason ?? '')
  cluster = await Cluster.create({ name: 'ha-rabbitmq' })
  const rabbit = cluster.component('rabbitmq')
  await rabbit.start()
  const url = `amqp://guest:guest@127.0.0.1:${rabbit.port}/`
  const base = { clock: new SystemClock(), ids: new SystemIds(), logger: silentLogger() }
  const notifier = new RabbitmqNotifier({ ...base, url })
  const away = new RabbitmqNotifier({ ...base, url: 'amqp://guest:guest@127.0.0.1:1/', sendTimeoutMs: 100 })
  await using ha = await startHa({
    clock: base.clock,
    deps: {
      notifier: {
        notify: (event, context) => {
          away.notify(event, context)
          notifier.notify(event, context)
        },
      },
    },
  })
  const body = { segment: { name: 's', recovery_method: 'auto', service_type: 'x' } }
  expect((await ha.send('POST', '/v1/segments', { body })).status).toBe(201)
  expect((await ha.send('POST', '/v1/segments', { body })).status).toBe(409)

  const listener = new Connection(url)
  const messages: JsonObject[] = []
  const read = async (queue: string): Promise<void> => {
    const message = await listener.basicGet(queue)
    if (message === undefined) return
    const outer = parseJson(String(message.body), 'a message') as Record<string, string>
    expect(outer['oslo.version']).toBe('2.0')
    messages.push(parseJson(outer['oslo.message']!, 'inside') as JsonObject)
  }
  await expect
    .poll(
      async () => {
        await read('versioned_notifications.info')
        await read('versioned_notifications.error')
        return messages.map((message) => message['event_type'] as string).sort((a, b) => a.localeCompare(b))
      },
      { timeout: 20_000 },
    )
    .toEqual(['segment.create.end', 'segment.create.error', 'segment.create.start', 'segment.create.start'])
  expect(messages.find((message) => message['priority'] === 'ERROR')).toMatchObject({
    payload: { 'masakari_object.data': { fault: { 'masakari_object.data': { exception: 'ConflictError' } } } },
  })
  await listener.close()
  await notifier.close({ timeoutMs: 5000 })
  await away.close({ timeoutMs: 500 })
}, 120_000)
