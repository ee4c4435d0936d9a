import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { NotificationReceiver } from '../support/notification-receiver.ts'
import { AgentProcess } from './support/running-agent.ts'

let directory: string
let config: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mainstay-agent-'))
  config = join(directory, 'masakarimonitors.conf')
})

afterEach(async () => {
  await rm(directory, { recursive: true })
})

async function configure(endpoint: string, more = ''): Promise<void> {
  const text = `
[DEFAULT]
hostname = cn1
[api]
auth_type = none
endpoint_override = ${endpoint}
[callback]
retry_interval = 1
[sender]
spool_dir = ${join(directory, 'spool')}
[metrics]
listen = 0
${more}`
  await writeFile(config, text)
}

async function receiver(port?: number): Promise<NotificationReceiver> {
  const started = await NotificationReceiver.start(port === undefined ? {} : { port })
  onTestFinished(async () => await started[Symbol.asyncDispose]())
  return started
}

/** An address where nobody listens any more. */
async function deserted(): Promise<{ port: number; endpoint: string }> {
  const gone = await NotificationReceiver.start()
  const { port, endpoint } = gone
  await gone[Symbol.asyncDispose]()
  return { port, endpoint }
}

async function started(): Promise<AgentProcess> {
  return await AgentProcess.start(config)
}

const EVENTS = ['SUSPENDED_IOERROR', 'STOPPED_FAILED', 'STOPPED_SHUTDOWN', 'STOPPED_DESTROYED']

describe('an agent that is killed (monitors 14.18)', () => {
  test('six SIGKILLs while the API is away: all that was accepted arrives, once per id, in order per guest', async () => {
    const { port, endpoint } = await deserted()
    await configure(endpoint)
    const accepted: { fact: string; id: string }[] = []
    for (let round = 0; round < 6; round += 1) {
      const agent = await started()
      for (const event of EVENTS) for (let n = 0; n < 25; n += 1) agent.see(`guest-${round}-${n}`, event)
      // Somewhere in the middle of what it was told; every round a little later.
      await expect.poll(() => agent.accepted.length, { timeout: 20_000, interval: 1 }).toBeGreaterThan(round * 15)
      await agent.kill()
      accepted.push(...agent.accepted)
    }
    const api = await receiver(port)
    await started()
    const ids = accepted.map(({ id }) => id)
    const missing = (): string[] => {
      const taken = new Set(api.taken.map(({ idempotencyKey }) => idempotencyKey))
      return ids.filter((id) => !taken.has(id))
    }
    await expect.poll(missing, { timeout: 30_000 }).toEqual([])
    expect(accepted.length).toBeGreaterThan(225)
    const orders = new Map<string, string[]>()
    for (const { notification } of api.taken) {
      const { instance_uuid: uuid = '', vir_domain_event: event = '' } = notification.payload
      orders.set(uuid, [...(orders.get(uuid) ?? []), event])
    }
    for (const order of orders.values()) expect(order).toEqual(EVENTS.slice(0, order.length))
  })

  test('SIGKILLs while the API answers: nothing is missing, repetitions have the same key', async () => {
    const api = await receiver()
    await configure(api.endpoint)
    const accepted: string[] = []
    for (let round = 0; round < 4; round += 1) {
      const agent = await started()
      for (let n = 0; n < 60; n += 1) agent.see(`guest-${round}-${n}`, 'STOPPED_FAILED')
      await expect.poll(() => api.attempts, { timeout: 20_000, interval: 1 }).toBeGreaterThan(round * 60 + 5)
      await agent.kill()
      accepted.push(...agent.accepted.map(({ id }) => id))
    }
    await started()
    const taken = (): string[] => api.taken.map(({ idempotencyKey }) => idempotencyKey)
    await expect.poll(taken, { timeout: 20_000 }).toEqual(expect.arrayContaining(accepted))
    const facts = api.taken.map(({ notification }) => notification.payload['instance_uuid'])
    expect(new Set(facts).size).toBe(facts.length)
  })
})

describe('the life of an agent (monitors section 11)', () => {
  test('DL-1, DL-2 SIGTERM stops it within 2 s although the API is away, and what waits is on disk', async () => {
    const { port, endpoint } = await deserted()
    await configure(endpoint)
    const agent = await started()
    agent.see('guest', 'STOPPED_FAILED')
    await untilAccepted(agent)
    const before = performance.now()
    agent.signal('SIGTERM')
    expect((await agent.ended()).code).toBe(0)
    expect(performance.now() - before).toBeLessThan(2_000)
    const api = await receiver(port)
    await started()
    await expect.poll(() => api.taken.length, { timeout: 20_000 }).toBe(1)
  })

  test('DL-3 SIGHUP takes a new configuration over; a bad one changes nothing and is said so', async () => {
    const api = await receiver()
    await configure((await deserted()).endpoint)
    const agent = await started()
    agent.see('guest', 'STOPPED_FAILED')
    await untilAccepted(agent)
    await configure(api.endpoint, '[callback]\nretry_max = nonsense')
    agent.signal('SIGHUP')
    await expect.poll(() => agent.printed(), { timeout: 20_000 }).toContain('The new configuration is not used')
    expect(api.attempts).toBe(0)
    await configure(api.endpoint)
    agent.signal('SIGHUP')
    await agent.untilPrinted(/reloaded cn1/)
    await expect.poll(() => api.taken.length, { timeout: 20_000 }).toBe(1)
  })

  test('DL-4 a configuration that cannot work ends it with code 2 and a reason', async () => {
    await configure('http://127.0.0.1:9', '[sender]\nretry_mode = fast')
    const { code, stderr } = await AgentProcess.startInVain(config)
    expect(code).toBe(2)
    expect(stderr).toContain('[sender] retry_mode is \\"fast\\"; expected backoff, compat.')
  })

  test('DL-1 a scratch directory that cannot be written ends it with code 1', async () => {
    await configure('http://127.0.0.1:9', `[DEFAULT]\ntempdir = ${join(directory, 'nowhere')}`)
    const { code, stderr } = await AgentProcess.startInVain(config)
    expect(code).toBe(1)
    expect(stderr).toContain('MS_SCRATCH_DIRECTORY')
  })

  test('two agents never share a spool', async () => {
    await configure((await deserted()).endpoint)
    await started()
    const { code, stderr } = await AgentProcess.startInVain(config)
    expect(code).toBe(1)
    expect(stderr).toContain('MS_SPOOL_BUSY')
  })

  test('a refused notification is in the dead letters, with the reason', async () => {
    const api = await receiver()
    api.status = 400
    await configure(api.endpoint)
    const agent = await started()
    agent.see('guest', 'STOPPED_FAILED')
    const letters = async (): Promise<string> =>
      await readFile(join(directory, 'spool', 'dead-letters.jsonl'), 'utf8').catch(() => '')
    await expect.poll(letters, { timeout: 20_000 }).toContain('"reason":"400 {}"')
    expect(api.taken).toEqual([])
  })
})

async function untilAccepted(agent: AgentProcess): Promise<void> {
  await expect.poll(() => agent.accepted.length, { timeout: 20_000 }).toBeGreaterThan(0)
}
