import { afterEach, beforeEach, expect, test } from 'vitest'

import { newEvent, newEvents } from './testing/new-event.ts'
import { StreamLab } from './testing/stream-lab.ts'

let lab: StreamLab

beforeEach(async () => {
  lab = await StreamLab.start()
})

afterEach(async () => {
  await lab[Symbol.asyncDispose]()
})

test('R9 the first frame says where the stream is and what its limits are', async () => {
  await lab.log.append(newEvents(3))
  await lab.settled()
  const { epoch } = await lab.log.extent()
  const client = await lab.listen()
  expect(client.frames[0]).toMatchObject({
    type: 'hello',
    connection_id: expect.stringMatching(/^[0-9a-f-]{36}$/) as unknown,
    epoch,
    head: 3,
    oldest: 1,
    cursor: `${epoch}:3`,
    resumed: false,
    replay_from: null,
    heartbeat_ms: 25_000,
    format: 'native',
    policy: 'catchup',
    limits: { soft_limit_bytes: 262_144, hard_limit_bytes: 1_048_576, hard_limit_frames: 1024, message_bytes: 65_536 },
  })
})

test('R2 R12 an event arrives whole, with a counter that begins at 1', async () => {
  const client = await lab.listen()
  const { events } = await lab.log.append([newEvent('a'), newEvent('b', { event_type: 'ü.€', data: { text: '𝄞' } })])
  await client.until('two events', ({ events: seen }) => seen.length === 2)
  expect(client.events).toEqual(events.map((event, index) => ({ n: index + 1, ...JSON.parse(JSON.stringify(event)) })))
})
