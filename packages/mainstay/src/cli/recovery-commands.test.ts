import { describe, expect, test } from 'vitest'

import type { Recovery } from '../client/index.ts'
import {
  answeringServer,
  type AnsweringServer,
  type Reaction,
  type SeenRequest,
} from '../client/testing/answering-server.ts'
import { runCommand, type CommandOutcome, type CommandSetting } from './testing/run-command.ts'

const HELD: Recovery = {
  id: 'r1',
  notificationUuid: 'n1',
  type: 'host',
  subject: 'host-001',
  status: 'held',
  waitsFor: null,
  heldReason: 'no fence answers',
  createdAt: '2026-01-01T12:00:00.000Z',
  finishedAt: null,
  outcome: null,
  timeline: [],
  steps: [
    {
      key: 'fence/1',
      kind: 'act',
      state: 'failed',
      attempt: 1,
      at: '2026-01-01T12:00:01.000Z',
      finishedAt: '2026-01-01T12:00:02.000Z',
      input: null,
      output: null,
      error: 'timed out',
    },
  ],
  decisions: [],
}

const REFUSAL: Reaction = {
  status: 409,
  body: { error: { code: 'MS_RECOVERY_STATE', message: 'It is completed.', requestId: 'req-1', retryable: false } },
}

/** A server with one recovery that is in each of the states in turn, one state for each look. */
async function serverWith(...states: readonly Partial<Recovery>[]): Promise<AnsweringServer> {
  let looks = 0
  const react = ({ method, path }: SeenRequest): Reaction => {
    if (path.startsWith('/api/v1/recoveries?') || path === '/api/v1/recoveries') return { body: { recoveries: [HELD] } }
    const state = { ...HELD, ...states[Math.min(looks, states.length - 1)] }
    if (method === 'GET') looks += 1
    return { body: state }
  }
  return await answeringServer(react)
}

async function mainstay(
  { endpoint }: AnsweringServer,
  argv: readonly string[],
  setting: CommandSetting = {},
): Promise<CommandOutcome> {
  return await runCommand([...argv, '--endpoint', endpoint], setting)
}

describe('recovery list and show', () => {
  test('lists what is wanted', async () => {
    await using server = await serverWith()
    const flags = ['--status', 'held', '--host', 'host-001', '--limit', '3', '-f', 'value', '-c', 'id', '-c', 'status']
    expect(await mainstay(server, ['recovery', 'list', ...flags])).toMatchObject({ code: 0, stdout: 'r1 held\n' })
    expect(server.requests[0]?.path).toBe('/api/v1/recoveries?status=held&host=host-001&limit=3')
  })

  test('a table has the summary and the steps, json has everything', async () => {
    await using server = await serverWith({})
    const { stdout } = await mainstay(server, ['recovery', 'show', 'r1'])
    expect(stdout).toContain('| held_reason       | no fence answers         |')
    expect(stdout).toMatch(/\| fence\/1 \| act {2}\| failed \| 1 .* timed out \|/)
    expect(stdout).not.toContain('decisions')
    const json = JSON.parse((await mainstay(server, ['recovery', 'show', 'r1', '-f', 'json'])).stdout) as object
    expect(json).toMatchObject({ id: 'r1', held_reason: 'no fence answers', steps: HELD.steps, decisions: [] })
  })

  test.each([
    ['completed', 0, ''],
    ['failed', 1, 'mainstay: Recovery r1 failed: why\n'],
    ['cancelled', 1, 'mainstay: Recovery r1 was cancelled: why\n'],
  ] as const)('is followed until it is %s', async (status, code, stderr) => {
    await using server = await serverWith({ status: 'running' }, { status: 'running' }, { status, outcome: 'why' })
    const argv = ['recovery', 'show', 'r1', '--watch', '--interval', '1ms', '-f', 'value', '-c', 'status']
    expect(await mainstay(server, argv)).toEqual({ code, stdout: `running\n${status}\n`, stderr })
  })

  test('explain says what holds it and what to do', async () => {
    await using server = await serverWith({})
    const { code, stdout } = await mainstay(server, ['recovery', 'explain', 'r1'])
    expect(code).toBe(0)
    expect(stdout).toContain('The recovery of host host-001 is HELD.')
    expect(stdout).toContain('act fence/1, attempt 1: timed out')
  })
})

describe.each(['approve', 'cancel', 'retry'] as const)('recovery %s', (action) => {
  test('sends the reason and prints the run', async () => {
    await using server = await serverWith({ status: 'running' })
    const argv = ['recovery', action, 'r1', '--reason', ' the switch is back ', '-f', 'value', '-c', 'status']
    expect(await mainstay(server, argv)).toEqual({ code: 0, stdout: 'running\n', stderr: '' })
    expect(server.requests).toMatchObject([
      { method: 'POST', path: `/api/v1/recoveries/r1/${action}`, body: { reason: 'the switch is back' } },
    ])
  })

  test.each([[[]], [['--reason', ' ']]])('needs a reason: %j', async (reason) => {
    await using server = await serverWith({})
    const { code, stderr } = await mainstay(server, ['recovery', action, 'r1', ...reason])
    expect(code).toBe(2)
    expect(stderr).toContain('reason')
    expect(server.requests).toEqual([])
  })

  test('is refused by the server with its reason: exit 3', async () => {
    await using server = await answeringServer(() => REFUSAL)
    const outcome = await mainstay(server, ['recovery', action, 'r1', '--reason', 'w'])
    expect(outcome).toEqual({ code: 3, stdout: '', stderr: 'mainstay: It is completed.\n' })
  })

  test('says in a dry run what would be done, and only looks', async () => {
    await using server = await serverWith({})
    const { code, stdout } = await mainstay(server, ['recovery', action, 'r1', '--reason', 'w', '--dry-run'])
    expect(code).toBe(0)
    expect(stdout).toBe(
      `Would ${action} the recovery of host host-001, which is held. Nothing was changed.\n` +
        `POST ${server.endpoint}/api/v1/recoveries/r1/${action}\n{"reason":"w"}\n`,
    )
    expect(server.requests.map(({ method }) => method)).toEqual(['GET'])
  })

  test('says in a dry run that it is too late: exit 3', async () => {
    await using server = await serverWith({ status: 'completed' })
    const outcome = await mainstay(server, ['recovery', action, 'r1', '--reason', 'w', '--dry-run'])
    expect(outcome).toMatchObject({
      code: 3,
      stderr: `mainstay: The recovery of host host-001 is completed: there is nothing to ${action}.\n`,
    })
  })
})

test('a recovery that was told to try again is waited for', async () => {
  await using server = await serverWith({ status: 'running' }, { status: 'failed', outcome: 'no room' })
  const flags = ['--reason', 'w', '--wait', '--interval', '1ms', '-f', 'value', '-c', 'outcome']
  const { code, stdout, stderr } = await mainstay(server, ['recovery', 'retry', 'r1', ...flags])
  expect({ code, stdout, stderr }).toEqual({
    code: 1,
    stdout: 'no room\n',
    stderr: 'mainstay: Recovery r1 failed: no room\n',
  })
})

describe('fence', () => {
  const ASSERT = ['fence', 'host-001', '--assert-dead', '--reason', 'pulled the plug']

  test('records who says so', async () => {
    await using server = await answeringServer(() => ({ body: { host: 'host-001', recoveries: ['r1'] } }))
    const outcome = await mainstay(server, [...ASSERT, '-f', 'json', '--noindent'], { env: { USER: 'kim' } })
    expect(outcome).toEqual({ code: 0, stdout: '{"host":"host-001","recoveries":["r1"]}\n', stderr: '' })
    expect(server.requests[0]).toMatchObject({
      method: 'POST',
      path: '/api/v1/fences',
      body: { host: 'host-001', reason: 'pulled the plug', assertedBy: 'kim' },
    })
  })

  test('a table names the recoveries that go on', async () => {
    const recoveries = [
      { id: 'r1', timeline: [{ phase: 'prove' }] },
      { id: 'r2', timeline: [] },
    ]
    await using server = await answeringServer(() => ({ body: { host: 'host-001', assertedBy: 'kim', recoveries } }))
    const { stdout } = await mainstay(server, ASSERT, { env: { USER: 'kim' } })
    expect(stdout).toMatch(/recoveries \| r1 +\|\n\| +\| r2/)
    expect(stdout).not.toContain('{')
  })

  test.each([
    ['the flag', ['--asserted-by', 'lee'], { OS_USERNAME: 'ops', USER: 'kim' }, 'lee'],
    ['OpenStack', [], { OS_USERNAME: 'ops', USER: 'kim' }, 'ops'],
    ['the machine', [], { USER: 'kim' }, 'kim'],
  ])('the name comes from %s', async (_name, flags, env, name) => {
    await using server = await answeringServer(() => ({ body: {} }))
    await mainstay(server, [...ASSERT, ...flags], { env })
    expect(server.requests[0]?.body).toMatchObject({ assertedBy: name })
  })

  test.each([
    ['without the assertion', ['fence', 'host-001', '--reason', 'w'], { USER: 'kim' }],
    ['without a reason', ['fence', 'host-001', '--assert-dead'], { USER: 'kim' }],
    ['without a name', ASSERT, {}],
  ])('%s nothing is recorded: exit 2', async (_name, argv, env) => {
    await using server = await answeringServer(() => ({ body: {} }))
    expect(await mainstay(server, argv, { env })).toMatchObject({ code: 2, stdout: '' })
    expect(server.requests).toEqual([])
  })

  test('says in a dry run how many recoveries wait for it', async () => {
    await using server = await serverWith()
    const { code, stdout } = await mainstay(server, [...ASSERT, '--dry-run'], { env: { USER: 'kim' } })
    expect(code).toBe(0)
    expect(stdout).toContain('Would record that kim asserts that host-001 is dead; 1 held recoveries are of it.')
    expect(server.requests.map(({ method }) => method)).toEqual(['GET'])
  })
})
