import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

import { createClient, MainstayApiError, type MainstayClient } from '../client/index.ts'
import { startHa, type RunningHa } from '../ha/testing/start-ha.ts'

// Every test has a database or a process of its own, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 })

const SEGMENT = { name: 's1', recovery_method: 'auto', service_type: 'COMPUTE' } as const
const HOST = { name: 'compute1', type: 'COMPUTE', control_attributes: 'SSH' } as const
const FAILURE = {
  type: 'COMPUTE_HOST',
  hostname: 'compute1',
  generated_time: '2026-01-01T00:00:00Z',
  payload: { event: 'STOPPED', host_status: 'NORMAL', cluster_status: 'OFFLINE' },
} as const

let ha: RunningHa
let client: MainstayClient

beforeEach(async () => {
  // The server gives two records at a time, so that every list of three has to be paged through.
  ha = await startHa({ options: { maxLimit: 2 } })
  client = createClient({ endpoint: `http://127.0.0.1:${ha.port}` })
})

afterEach(async () => {
  await ha[Symbol.asyncDispose]()
})

async function refusal(work: Promise<unknown>): Promise<MainstayApiError> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof MainstayApiError) return error
  throw new Error('The server was expected to refuse.', { cause: error })
}

test('finds out what the server can do (ha-api 2, 10)', async () => {
  expect(await client.versions.list()).toMatchObject([{ id: 'v1.0', version: '1.3', min_version: '1.0' }])
  expect(await client.versions.show()).toMatchObject({ id: 'v1.0' })
  expect((await client.extensions.list()).map(({ alias }) => alias)).toContain('vmoves')
  expect(await client.extensions.show('segments')).toMatchObject({ name: 'Segments' })
})

describe('segments (ha-api 6)', () => {
  test('are created, shown, changed and deleted', async () => {
    const { uuid } = await client.segments.create({ ...SEGMENT, enabled: false })
    expect(await client.segments.show(uuid)).toMatchObject({ ...SEGMENT, enabled: false })
    expect(await client.segments.update(uuid, { description: 'rack 1' })).toMatchObject({ description: 'rack 1' })
    await client.segments.delete(uuid)
    expect(await refusal(client.segments.show(uuid))).toMatchObject({ status: 404, faultKey: 'itemNotFound' })
  })

  test('are listed over all pages, chosen, sorted and cut off', async () => {
    for (const name of ['a', 'b', 'c', 'd', 'e']) {
      const method = name === 'c' ? 'rh_priority' : 'auto'
      await client.segments.create({ ...SEGMENT, name, recovery_method: method, enabled: name !== 'd' })
    }
    const names = async (options: Parameters<typeof client.segments.list>[0]): Promise<string> =>
      (await Array.fromAsync(client.segments.list(options))).map(({ name }) => name).join('')
    expect(await names({})).toBe('edcba')
    expect(await names({ sortKeys: ['name'], sortDirection: 'asc' })).toBe('abcde')
    expect(await names({ sortDirection: 'asc' })).toBe('abcde')
    expect(await names({ limit: 3 })).toBe('edc')
    expect(await names({ recoveryMethod: 'rh_priority' })).toBe('c')
    expect(await names({ enabled: false })).toBe('d')
  })

  test('of a name that is taken are refused in the words of the server', async () => {
    await client.segments.create(SEGMENT)
    const error = await refusal(client.segments.create(SEGMENT))
    expect(error).toMatchObject({ status: 409, faultKey: 'conflictingRequest', call: 'POST /segments' })
    expect(error.requestId).toMatch(/^req-[0-9a-f-]{36}$/)
    expect(error.message).toContain('s1')
  })
})

test('hosts are created, listed, shown, changed and deleted (ha-api 7)', async () => {
  const { uuid: segment } = await client.segments.create(SEGMENT)
  for (const name of ['compute1', 'compute2', 'compute3']) await client.hosts.create(segment, { ...HOST, name })
  const hosts = await Array.fromAsync(client.hosts.list(segment))
  expect(hosts.map(({ name }) => name)).toEqual(['compute3', 'compute2', 'compute1'])
  const [{ uuid } = { uuid: '' }] = hosts
  expect(await client.hosts.update(segment, uuid, { reserved: true })).toMatchObject({ reserved: true })
  expect(await Array.fromAsync(client.hosts.list(segment, { reserved: true }))).toHaveLength(1)
  expect(await client.hosts.show(segment, uuid)).toMatchObject({ failover_segment: { name: 's1' } })
  await client.hosts.delete(segment, uuid)
  expect(await refusal(client.hosts.show(segment, uuid))).toMatchObject({ status: 404 })
  expect(await refusal(client.hosts.create(segment, { ...HOST, name: 'unknown1' }))).toMatchObject({ status: 400 })
})

test('notifications are reported, listed and shown, with no moves yet (ha-api 8, 9)', async () => {
  const { uuid: segment } = await client.segments.create(SEGMENT)
  const { uuid: host } = await client.hosts.create(segment, HOST)
  const created = await client.notifications.create(FAILURE)
  expect(created).toMatchObject({ status: 'new', source_host_uuid: host, payload: FAILURE.payload })
  const shown = await client.notifications.show(created.notification_uuid)
  expect(shown.recovery_workflow_details).toEqual([])
  expect(await Array.fromAsync(client.notifications.list({ sourceHostUuid: host, status: 'new' }))).toHaveLength(1)
  expect(await Array.fromAsync(client.notifications.list({ generatedSince: '2026-01-02' }))).toEqual([])
  expect(await Array.fromAsync(client.vmoves.list(created.notification_uuid))).toEqual([])
  const nothing = await refusal(client.vmoves.show(created.notification_uuid, segment))
  expect(nothing).toMatchObject({ status: 404 })
  expect(await refusal(client.notifications.create(FAILURE))).toMatchObject({ status: 409 })
})
