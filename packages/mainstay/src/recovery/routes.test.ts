import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import type { Notification } from '../ha/index.ts'
import { TestJournal } from '../journal/testing/start-journal.ts'
import { RecoveryDesk, recoveryRoutes, startRecovery } from './index.ts'
import { ROLES, ROLE_SETS, RoleApps, mayDo } from './testing/role-apps.ts'

/** Every route of recoveries, for every role, with what is right, what is wrong, and what is not there. */

let journal: TestJournal
let apps: RoleApps

beforeAll(async () => {
  journal = await TestJournal.open()
  const { clock, ids, store } = journal
  const desk = new RecoveryDesk({ store, clock, ids, poke: () => undefined })
  apps = await RoleApps.start(clock, (native, authorize) => recoveryRoutes(native, { desk, authorize }))
})

afterAll(async () => {
  await apps[Symbol.asyncDispose]()
  await journal[Symbol.asyncDispose]()
})

/** A recovery of a host that waits for a person. @returns its id, which is the host's name too */
async function heldRecovery(): Promise<string> {
  const { clock, ids, store } = journal
  const id = ids.random()
  const notification: Notification = {
    id: 1,
    uuid: id,
    generatedTime: clock.now(),
    sourceHostUuid: id,
    type: 'COMPUTE_HOST',
    payload: { event: 'STOPPED', host_status: 'NORMAL' },
    status: 'running',
    segmentUuid: null,
    message: null,
    createdAt: clock.now(),
    updatedAt: null,
  }
  await store.write(async (queries) => {
    await startRecovery(queries, notification, clock.now())
    await queries.updateTable('workflows').set({ status: 'held', reason: 'no proof' }).where('id', '=', id).execute()
  })
  return id
}

interface Case {
  readonly what: string
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** `{id}` is that of a held recovery. */
  readonly url: string
  readonly kind: 'read' | 'operate' | 'anybody'
  readonly body?: object
  readonly status: number
  readonly answer?: object
}

const reason = 'a test'
const nothing = '7c4c5b1e-1c52-4c0a-bd4d-2f1f5f3f0d11'

const READS: readonly Case[] = [
  { what: 'valid', method: 'GET', url: '/api/v1/recoveries', kind: 'read', status: 200 },
  { what: 'valid', method: 'GET', url: '/api/v1/recoveries?status=held&limit=9999', kind: 'read', status: 200 },
  { what: 'valid', method: 'GET', url: '/api/v1/recoveries?host={id}', kind: 'read', status: 200 },
  {
    what: 'valid',
    method: 'GET',
    url: '/api/v1/recoveries/{id}',
    kind: 'read',
    status: 200,
    answer: { status: 'held' },
  },
  { what: 'missing', method: 'GET', url: `/api/v1/recoveries/${nothing}`, kind: 'read', status: 404 },
  {
    what: 'missing',
    method: 'GET',
    url: '/api/v1/recoveries?host=nowhere',
    kind: 'read',
    status: 200,
    answer: { recoveries: [] },
  },
  ...['limit=many', 'limit=-1', 'limit=10000', 'status=lost', 'sort=id', 'host=a&host=b'].map((query): Case => ({
    what: 'invalid',
    method: 'GET',
    url: `/api/v1/recoveries?${query}`,
    kind: 'anybody',
    status: 400,
  })),
  { what: 'invalid', method: 'GET', url: `/api/v1/recoveries/${'x'.repeat(65)}`, kind: 'anybody', status: 400 },
]

const ACTS = (['cancel', 'approve', 'retry'] as const).flatMap((action): Case[] => {
  const url = `/api/v1/recoveries/{id}/${action}`
  const act = { method: 'POST', kind: 'operate' } as const
  const invalid = { method: 'POST', kind: 'anybody', what: 'invalid', url, status: 400 } as const
  return [
    // Approving is not enough: what a held recovery waits for is a proof of death.
    { ...act, what: 'valid', url, body: { reason }, status: action === 'approve' ? 409 : 200 },
    { ...act, what: 'missing', url: url.replace('{id}', nothing), body: { reason }, status: 404 },
    ...[
      {},
      { reason: '' },
      { reason: 5 },
      { reason: null },
      { reason: 'x'.repeat(1001) },
      { reason, by: 'me' },
      [],
    ].map((body): Case => ({ ...invalid, body })),
    invalid,
  ]
})

const assertion = { host: '{id}', reason, assertedBy: 'sam' }
const FENCES: readonly Case[] = [
  { what: 'valid', body: assertion, status: 200, answer: { assertedBy: 'sam (as kim)' } },
  { what: 'valid', body: { ...assertion, assertedBy: 'kim' }, status: 200, answer: { assertedBy: 'kim' } },
  { what: 'missing', body: { ...assertion, host: 'nowhere' }, status: 409 },
]
  .map((given): Case => ({ ...given, method: 'POST', url: '/api/v1/fences', kind: 'operate' }))
  .concat(
    [
      {},
      { host: '{id}', reason },
      { host: '{id}', assertedBy: 'kim' },
      { ...assertion, host: '' },
      { ...assertion, host: 5 },
      { ...assertion, assertedBy: '' },
      { ...assertion, proof: 'none' },
    ].map((body): Case => ({
      what: 'invalid',
      method: 'POST',
      url: '/api/v1/fences',
      kind: 'anybody',
      body,
      status: 400,
    })),
  )

const ELSEWHERE = [
  ['PUT', '/api/v1/recoveries'],
  ['DELETE', '/api/v1/recoveries/{id}'],
  ['GET', '/api/v1/fences'],
  ['GET', '/api/v1/recoveries/{id}/cancel'],
  ['GET', '/api/v1/nothing'],
].map(([method, url]) => ({ what: 'missing', method, url, kind: 'anybody', status: 404 }) as Case)

const CASES = [...READS, ...ACTS, ...FENCES, ...ELSEWHERE].flatMap((given) =>
  ROLE_SETS.flatMap((roles) => ROLES.map((role) => ({ ...given, roles, role }))),
)

/** What every refusal looks like. */
const ERROR = {
  error: {
    code: expect.stringMatching(/^MS_/) as unknown,
    requestId: expect.stringMatching(/^req-/) as unknown,
    retryable: false,
  },
}

describe('native routes of recoveries by role (ha-api 4.3)', () => {
  test.each(CASES)('$roles, "$role": $method $url, $what', async ({ roles, role, kind, status, answer, ...asked }) => {
    const id = await heldRecovery()
    const body = asked.body && (JSON.parse(JSON.stringify(asked.body).replaceAll('{id}', id)) as object)
    const got = await apps.ask(roles, role, { method: asked.method, url: asked.url.replace('{id}', id), body })
    const allowed = kind === 'anybody' || mayDo(roles, role, kind)
    expect(got.status).toBe(role === '' ? 401 : allowed ? status : 403)
    expect(got.body).toMatchObject(got.status < 300 ? (answer ?? {}) : ERROR)
    // Whatever is refused has changed nothing.
    const left = await apps.ask(roles, 'admin', { method: 'GET', url: `/api/v1/recoveries/${id}` })
    expect(left.body).toMatchObject(got.status < 300 ? { id } : { id, status: 'held', heldReason: 'no proof' })
  })

  test('a list holds no more than was asked for, the newest first', async () => {
    const ids: string[] = []
    for (let index = 0; index < 3; index += 1) {
      await journal.clock.advance(1)
      ids.push(await heldRecovery())
    }
    const got = await apps.ask('compatible', 'admin', { method: 'GET', url: '/api/v1/recoveries?limit=2' })
    const { recoveries } = got.body as { recoveries: { id: string }[] }
    expect(recoveries.map(({ id }) => id)).toEqual([ids[2], ids[1]])
  })
})
