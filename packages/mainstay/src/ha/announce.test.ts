import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { readOutbox } from '../store/index.ts'
import type { HaEvent } from './events.ts'
import { HOST, NOBODY, SEGMENT, addHost, addNotification, addSegment, setStatus } from './testing/fill.ts'
import { startHa, type RunningHa } from './testing/start-ha.ts'

/** What is told of changes, and what is not. Source: ha-api.md 18. */

let ha: RunningHa
let told: HaEvent[]
let busIsDown: boolean

beforeEach(async () => {
  told = []
  busIsDown = false
  ha = await startHa({
    deps: {
      notifier: {
        store: async (_queries, events) => void told.push(...events),
        committed: () => {
          if (busIsDown) throw new Error('The bus is down.')
        },
        tellFailure: (events) => {
          if (busIsDown) throw new Error('The bus is down.')
          told.push(...events)
        },
      },
      publishFailure: {
        publish: (event) => {
          if (busIsDown) throw new Error('The stream is down.')
          ha.events.push(event)
        },
      },
    },
  })
})

afterEach(async () => {
  await ha[Symbol.asyncDispose]()
})

const names = (): string[] => told.map(({ resource, action, phase }) => `${resource}.${action}.${phase}`)

describe('changes are told of (ha-api 18)', () => {
  test('each with a start and an end, in their order, on the bus and in the outbox of the stream', async () => {
    const segment = await addSegment(ha)
    const host = await addHost(ha, segment)
    await setStatus(ha, await addNotification(ha), 'finished')
    const place = `/v1/segments/${segment}`
    await ha.send('PUT', `${place}/hosts/${host}`, { body: { host: { type: 'x' } } })
    await ha.send('PUT', place, { body: { segment: { description: 'x' } } })
    await ha.send('DELETE', `${place}/hosts/${host}`)
    await ha.send('DELETE', place)
    const changes = [
      'segment.create',
      'host.create',
      'notification.create',
      'host.update',
      'segment.update',
      'host.delete',
      'segment.delete',
    ]
    const expected = changes.flatMap((change) => [`${change}.start`, `${change}.end`])
    expect(names()).toEqual(expected)
    const stored = await readOutbox(ha.store.read, 100)
    expect(stored.map(({ event }) => event.type)).toEqual(expected)
    expect(told.every(({ fault }) => fault === null)).toBe(true)
  })

  test('what is not known yet is absent from the start of a creation', async () => {
    await addSegment(ha)
    const [start, end] = told.map(({ subject }) => ('segment' in subject ? subject.segment : undefined))
    expect(start).toMatchObject({ name: 's1', enabled: true, description: null })
    expect(Object.keys(start ?? {})).not.toEqual(expect.arrayContaining(['uuid']))
    expect(Object.keys(start ?? {})).not.toEqual(expect.arrayContaining(['id']))
    expect(end).toMatchObject({ name: 's1', id: 1 })
  })

  test('a change that failed after it began with a start and an error, and is not in the outbox', async () => {
    await addSegment(ha)
    const before = (await readOutbox(ha.store.read, 100)).length
    told.length = 0
    expect((await ha.send('POST', '/v1/segments', { body: { segment: SEGMENT } })).status).toBe(409)
    expect(names()).toEqual(['segment.create.start', 'segment.create.error'])
    expect(told[1]?.fault).toBeInstanceOf(Error)
    expect(ha.events.map(({ type }) => type)).toEqual(['segment.create.start', 'segment.create.error'])
    expect(await readOutbox(ha.store.read, 100)).toHaveLength(before)
  })

  test('refusals are not told of: wrong bodies, what is not there, what is in use, duplicates', async () => {
    const segment = await addSegment(ha)
    const host = await addHost(ha, segment)
    await addNotification(ha)
    told.length = 0
    const place = `/v1/segments/${segment}`
    const refused: [method: string, path: string, body: object | undefined, status: number][] = [
      ['POST', '/v1/segments', { segment: {} }, 400],
      ['PUT', `/v1/segments/${NOBODY}`, { segment: { name: 'x' } }, 404],
      ['DELETE', `/v1/segments/${NOBODY}`, undefined, 404],
      ['DELETE', place, undefined, 409],
      ['PUT', place, { segment: { name: 'x' } }, 409],
      ['POST', `${place}/hosts`, { host: { ...HOST, name: 'unknown1' } }, 400],
      ['PUT', `${place}/hosts/${host}`, { host: { type: 'x' } }, 409],
      ['DELETE', `${place}/hosts/${NOBODY}`, undefined, 404],
    ]
    for (const [method, path, body, status] of refused) {
      const answer = await ha.send(method, path, body === undefined ? {} : { body })
      expect([method, path, answer.status]).toEqual([method, path, status])
    }
    await expect(addNotification(ha)).rejects.toThrow('409')
    await expect(addNotification(ha, { hostname: 'nobody' })).rejects.toThrow('400')
    expect(names()).toEqual([])
    expect(ha.events).toEqual([])
  })

  test('[DEV] a bus and a stream that fail do not make a change fail, nor hide why it was refused', async () => {
    busIsDown = true
    const segment = await addSegment(ha)
    await addHost(ha, segment)
    await addNotification(ha)
    const again = await ha.send('POST', '/v1/segments', { body: { segment: SEGMENT } })
    expect([again.status, again.json]).toMatchObject([409, { conflictingRequest: { code: 409 } }])
    expect(names()).not.toContain('segment.create.error')
  })
})
