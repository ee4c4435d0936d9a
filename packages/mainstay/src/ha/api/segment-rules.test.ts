import { beforeEach, afterEach, describe, expect, test } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import {
  HOST,
  NOBODY,
  SEGMENT,
  addHost,
  addNotification,
  addSegment,
  column,
  member,
  setStatus,
} from '../testing/fill.ts'
import { startHa, type RunningHa } from '../testing/start-ha.ts'

let clock: ManualClock
let ha: RunningHa

beforeEach(async () => {
  clock = new ManualClock(Date.UTC(2026, 0, 1))
  ha = await startHa({ clock })
})

afterEach(async () => {
  await ha[Symbol.asyncDispose]()
})

describe('a segment in use (ha-api 6.3, 7.3)', () => {
  const STATUSES = [
    ['new', true],
    ['running', true],
    ['error', true],
    ['failed', false],
    ['finished', false],
    ['ignored', false],
  ] as const

  test.each(STATUSES)(
    'a notification that is %s keeps it and its hosts from being changed: %s',
    async (status, blocks) => {
      const segment = await addSegment(ha)
      const host = await addHost(ha, segment)
      const other = await addHost(ha, segment, { name: 'compute2' })
      await setStatus(ha, await addNotification(ha), status)
      const place = `/v1/segments/${segment}`
      const asked = [
        ['PUT', place, { segment: { description: 'new' } }, 200, segment],
        ['PUT', `${place}/hosts/${host}`, { host: { type: 'x' } }, 200, host],
        ['PUT', `${place}/hosts/${other}`, { host: { reserved: true } }, 200, other],
        // Making another one is allowed in any case.
        ['POST', `${place}/hosts`, { host: { ...HOST, name: 'compute3' } }, 201, null],
        ['DELETE', `${place}/hosts/${other}`, undefined, 204, other],
        ['DELETE', `${place}/hosts/${host}`, undefined, 204, host],
        ['DELETE', place, undefined, 204, segment],
      ] as const
      for (const [method, path, body, done, named] of asked) {
        const answer = await ha.send(method, path, body === undefined ? {} : { body })
        const refused = blocks && named !== null
        expect([method, path, answer.status]).toEqual([method, path, refused ? 409 : done])
        expect(answer.text).toContain(refused ? named : '')
        expect(answer.text.includes('conflictingRequest')).toBe(refused)
      }
    },
  )

  test('a notification of a deleted host, or of another segment, blocks nothing', async () => {
    const segment = await addSegment(ha)
    const host = await addHost(ha, segment)
    const other = await addSegment(ha, { name: 's2' })
    const notification = await addNotification(ha)
    expect((await ha.send('PUT', `/v1/segments/${other}`, { body: { segment: { description: 'x' } } })).status).toBe(
      200,
    )
    await setStatus(ha, notification, 'failed')
    expect((await ha.send('DELETE', `/v1/segments/${segment}/hosts/${host}`)).status).toBe(204)
    await setStatus(ha, notification, 'error')
    expect((await ha.send('DELETE', `/v1/segments/${segment}`)).status).toBe(204)
  })
})

describe('segments (ha-api 6)', () => {
  test('deleting one deletes its hosts, whose names are free then, and keeps the notifications', async () => {
    const segment = await addSegment(ha)
    const host = await addHost(ha, segment)
    const notification = await addNotification(ha)
    await setStatus(ha, notification, 'finished')
    expect((await ha.send('DELETE', `/v1/segments/${segment}`)).status).toBe(204)
    for (const path of [
      `/v1/segments/${segment}`,
      `/v1/segments/${segment}/hosts`,
      `/v1/segments/${segment}/hosts/${host}`,
    ]) {
      expect((await ha.send('GET', path)).status).toBe(404)
    }
    const again = await addSegment(ha)
    expect(await addHost(ha, again)).not.toBe(host)
    expect(column((await ha.send('GET', '/v1/notifications')).json, 'notifications', 'notification_uuid')).toEqual([
      notification,
    ])
  })

  test('an update answers what it has become, when, and with null where a description was taken away', async () => {
    const segment = await addSegment(ha, { description: 'two\nlines' })
    await clock.advance(1500)
    const place = `/v1/segments/${segment}`
    const change = { name: 's9', recovery_method: 'rh_priority', service_type: 'x', description: null }
    const answer = await ha.send('PUT', place, { body: { segment: change } })
    expect(member(answer.json, 'segment')).toMatchObject({
      ...change,
      enabled: true,
      created_at: '2026-01-01T00:00:00.000000',
      updated_at: '2026-01-01T00:00:01.000000',
    })
    expect((await ha.send('GET', place)).json).toEqual(answer.json)
  })

  test('a name that another one has is a conflict on update too, and differs by case', async () => {
    const segment = await addSegment(ha)
    await addSegment(ha, { name: 's2' })
    const rename = async (name: string): Promise<number> =>
      (await ha.send('PUT', `/v1/segments/${segment}`, { body: { segment: { name } } })).status
    expect([await rename('s2'), await rename('S2'), await rename('S2')]).toEqual([409, 200, 200])
  })

  test.each([
    ['its name', () => 's1'],
    ['its id without dashes', (uuid: string) => uuid.replaceAll('-', '')],
    ['its id in capitals', (uuid: string) => uuid.toUpperCase()],
    ['its id in braces', (uuid: string) => `{${uuid}}`],
    ['its id with a prefix', (uuid: string) => `urn:uuid:${uuid}`],
    ['its number', () => '1'],
  ])('5.2 is not found by %s', async (_what, idOf) => {
    const id = encodeURIComponent(idOf(await addSegment(ha)))
    for (const method of ['GET', 'DELETE']) expect((await ha.send(method, `/v1/segments/${id}`)).status).toBe(404)
    const changed = await ha.send('PUT', `/v1/segments/${id}`, { body: { segment: { name: 'x' } } })
    expect(changed.status).toBe(404)
  })

  test('3 at the oldest version answers have enabled, and lists are filtered by it', async () => {
    await addSegment(ha)
    await addSegment(ha, { name: 's2', enabled: false })
    const answer = await ha.send('GET', '/v1/segments?enabled=false', { version: '1.0' })
    expect(column(answer.json, 'segments', 'name')).toEqual(['s2'])
    expect(column(answer.json, 'segments', 'enabled')).toEqual([false])
  })

  test.each([
    ['"off"', 'off', false],
    ['"no"', 'no', false],
    ['"0"', '0', false],
    ['"Yes"', 'Yes', true],
    ['true', true, true],
  ])('6.3 enabled %s means the same in create and update', async (_text, enabled, meant) => {
    const created = await addSegment(ha, { enabled })
    const changed = await addSegment(ha, { name: 's2', enabled: !meant })
    await ha.send('PUT', `/v1/segments/${changed}`, { version: '1.2', body: { segment: { enabled } } })
    for (const uuid of [created, changed]) {
      expect(member((await ha.send('GET', `/v1/segments/${uuid}`)).json, 'segment')['enabled']).toBe(meant)
    }
  })

  test('1.4 no answer to a creation has a Location', async () => {
    const answer = await ha.send('POST', '/v1/segments', { body: { segment: SEGMENT } })
    expect(answer.status).toBe(201)
    expect(answer.headers['location']).toBeUndefined()
  })

  test('5.3 a marker that was deleted, and the marker of nothing, is a 400', async () => {
    const segment = await addSegment(ha)
    await addSegment(ha, { name: 's2' })
    expect((await ha.send('GET', '/v1/segments?marker=2')).status).toBe(200)
    await ha.send('DELETE', `/v1/segments/${segment}`)
    for (const marker of ['1', '3', segment, NOBODY]) {
      const answer = await ha.send('GET', `/v1/segments?marker=${marker}`)
      expect([marker, answer.status, answer.json]).toMatchObject([marker, 400, { badRequest: { code: 400 } }])
    }
  })
})
