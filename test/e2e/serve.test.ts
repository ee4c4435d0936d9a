import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { Agent, request, type ClientRequest, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { describe, expect, onTestFinished, test } from 'vitest'

import { waitUntil } from '../real/lab/wait-until.ts'
import { runMainstay, startMainstay } from '../support/mainstay-process.ts'
import { ServeProcess, type ServeOptions } from '../support/serve-process.ts'

const SMALL = ['compute.simulated_hosts=3', 'compute.simulated_guests=6', 'log.level=warn']
const SEGMENT = { segment: { name: 's1', recovery_method: 'auto', service_type: 'COMPUTE' } }

async function directory(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'mainstay-e2e-'))
  onTestFinished(async () => await rm(made, { recursive: true, force: true }))
  return made
}

async function serving(options: Partial<ServeOptions> = {}): Promise<ServeProcess> {
  const server = await ServeProcess.start({ dataDir: await directory(), set: SMALL, ...options })
  onTestFinished(async () => await server.kill())
  return server
}

interface Answer {
  readonly status: number
  readonly text: string
  readonly json: unknown
}

async function ask(server: ServeProcess, method: string, path: string, body?: string): Promise<Answer> {
  const response = await fetch(server.url + path, {
    method,
    headers: { 'content-type': 'application/json', 'openstack-api-version': 'instance-ha 1.3' },
    signal: AbortSignal.timeout(20_000),
    ...(body === undefined ? {} : { body }),
  })
  const text = await response.text()
  return { status: response.status, text, json: text.startsWith('{') ? JSON.parse(text) : undefined }
}

async function post(server: ServeProcess, path: string, body: unknown): Promise<Answer> {
  return await ask(server, 'POST', path, JSON.stringify(body))
}

function vmReport(hostname: unknown): unknown {
  const instance = '7c4c5b1e-1c52-4c0a-bd4d-2f1f5f3f0d11'
  const payload = { event: 'LIFECYCLE', instance_uuid: instance, vir_domain_event: 'STOPPED_FAILED' }
  return { notification: { type: 'VM', hostname, generated_time: '2026-11-21T00:00:00', payload } }
}

describe('mainstay serve', () => {
  test('answers on one address: health, versions, lists, metrics', async () => {
    const server = await serving()
    expect(await ask(server, 'GET', '/healthcheck')).toMatchObject({ status: 200, text: 'OK' })
    expect(await ask(server, 'GET', '/health/ready')).toMatchObject({ status: 200 })
    expect(await ask(server, 'GET', '/v1/segments')).toMatchObject({ status: 200, json: { segments: [] } })
    expect(await ask(server, 'GET', '/api/v1/recoveries')).toMatchObject({ status: 200, json: { recoveries: [] } })
    expect((await ask(server, 'GET', '/metrics')).text).toContain('process_cpu_seconds_total')
    expect((await server.stop()).code).toBe(0)
  })

  test('answers what is wrong with the status and the fault body of the API, and goes on serving', async () => {
    const server = await serving()
    const fault = (message: string): unknown => ({
      badRequest: { code: 400, message: expect.stringContaining(message) as unknown },
    })
    expect(await ask(server, 'POST', '/v1/notifications', '{bad')).toMatchObject({
      status: 400,
      json: fault('not valid JSON'),
    })
    expect(await post(server, '/v1/notifications', vmReport('nohost'))).toMatchObject({
      status: 400,
      json: fault('Host with name nohost could not be found'),
    })
    expect(await post(server, '/v1/notifications', vmReport(5))).toMatchObject({
      status: 400,
      json: fault('hostname. Value: 5'),
    })
    expect(await post(server, '/v1/segments', { segment: { ...SEGMENT.segment, name: 5 } })).toMatchObject({
      status: 400,
      json: fault('segment.name. Value: 5'),
    })
    expect(await ask(server, 'GET', '/v1/segments/7c4c5b1e-1c52-4c0a-bd4d-2f1f5f3f0d11')).toMatchObject({
      status: 404,
      json: { itemNotFound: { code: 404 } },
    })
    expect(await post(server, '/api/v1/fences', { host: 5 })).toMatchObject({
      status: 400,
      json: { error: { code: 'MS_BAD_REQUEST', retryable: false } },
    })
    expect(await ask(server, 'GET', '/api/v1/recoveries/nothing')).toMatchObject({
      status: 404,
      json: { error: { code: 'MS_WORKFLOW_NOT_FOUND' } },
    })
    expect(await post(server, '/v1/segments', SEGMENT)).toMatchObject({ status: 201 })
  })

  test('SIGTERM lets a running request end, takes no new one, and exits 0', async () => {
    const server = await serving()
    const body = JSON.stringify(SEGMENT)
    const running = halfRequest(server.url, body.length)
    // The server answers "continue" once it has the head: from then on the request runs.
    await once(running, 'continue')
    running.write(body.slice(0, 10))
    server.signal('SIGTERM')
    const refused = async (): Promise<boolean> => {
      try {
        await fetch(`${server.url}/healthcheck`)
        return false
      } catch (error) {
        return (error as { cause?: { code?: string } }).cause?.code === 'ECONNREFUSED'
      }
    }
    await waitUntil(refused, { timeoutMs: 20_000, what: 'a server that takes no new connection' })
    const answered = once(running, 'response') as Promise<[IncomingMessage]>
    running.end(body.slice(10))
    const [response] = await answered
    response.resume()
    expect(response.statusCode).toBe(201)
    // Not even for a client that would keep its connection for ever.
    await waitUntil(() => !server.alive, { timeoutMs: 15_000, what: 'the end of the server' })
    expect((await server.ended()).code).toBe(0)
  })

  test('kill -9 and a new start keep everything that was answered', async () => {
    const dataDir = await directory()
    const set = [...SMALL, 'recovery.attempts=1']
    const first = await serving({ dataDir, set })
    const { json } = await post(first, '/v1/segments', SEGMENT)
    const { segment } = json as { segment: { uuid: string } }
    for (const name of ['host-001', 'host-002']) {
      const host = { name, type: 'COMPUTE', control_attributes: 'SSH' }
      expect(await post(first, `/v1/segments/${segment.uuid}/hosts`, { host })).toMatchObject({ status: 201 })
    }
    const report = await post(first, '/v1/notifications', vmReport('host-001'))
    expect(report.status).toBe(202)
    const lists = ['/v1/segments', `/v1/segments/${segment.uuid}/hosts`]
    const before = await Promise.all(lists.map(async (path) => (await ask(first, 'GET', path)).json))
    await first.kill()

    const second = await serving({ dataDir, set })
    expect(await Promise.all(lists.map(async (path) => (await ask(second, 'GET', path)).json))).toEqual(before)
    const { notification } = report.json as { notification: { notification_uuid: string } }
    const id = notification.notification_uuid
    await waitUntil(
      async () => {
        const answer = await ask(second, 'GET', `/v1/notifications/${id}`)
        return (answer.json as { notification: { status: string } }).notification.status === 'failed'
      },
      { timeoutMs: 30_000, what: 'a notification that failed: there is no such guest' },
    )
    const failed = await ask(second, 'GET', '/api/v1/recoveries?status=failed')
    expect(failed.json).toMatchObject({ recoveries: [{ id, status: 'failed' }] })
  })

  test('a second one on the same data directory is refused in one line; the first goes on', async () => {
    const dataDir = await directory()
    const first = await serving({ dataDir })
    const second = await runMainstay(['serve', '--listen', '127.0.0.1:0', '--data-dir', dataDir])
    expect(second.code).toBe(3)
    expect(second.stdout).toBe('')
    expect(second.stderr).toBe(
      `mainstay: Another mainstay process uses the data directory ${dataDir}. ` +
        `Stop it, or give this one its own with --data-dir.\n`,
    )
    expect(await ask(first, 'GET', '/healthcheck')).toMatchObject({ status: 200 })
  })

  test('an address that is taken is refused in one line', async () => {
    const first = await serving()
    const listen = new URL(first.url).host
    const second = await runMainstay(['serve', '--listen', listen, '--data-dir', await directory()])
    expect(second.code).not.toBe(0)
    expect(second.stderr).toMatch(
      /^mainstay: Cannot listen on 127\.0\.0\.1:\d+: something else listens there already\. .*\n$/,
    )
  })

  test('other addresses than loopback are refused unless the operator says so', async () => {
    const args = ['serve', '--listen', '0.0.0.0:0', '--data-dir', await directory()]
    const refused = await runMainstay(args)
    expect(refused.code).toBe(2)
    expect(refused.stderr).toMatch(/^mainstay: Listening on 0\.0\.0\.0 would let everybody .*--insecure-no-auth\.\n$/)
    await using allowed = await startMainstay([...args, '--insecure-no-auth', '--set', 'log.level=warn'])
    await allowed.untilPrinted(/http:\/\/0\.0\.0\.0:\d+/)
    expect((await allowed.stop()).code).toBe(0)
  })

  test.each([
    ['an option on the command line', ['--set', 'recovery.attemps=3'], 'no option recovery.attemps.'],
    ['a section on the command line', ['--set', 'nosuch.option=3'], 'no option nosuch.'],
    ['a driver', ['--set', 'compute.driver=command'], 'compute.driver must be one of simulated'],
    ['a driver by its flag', ['--compute', 'command'], '"command" is none of simulated, libvirt.'],
    ['a file', ['--config', '/nonexistent/mainstay.toml'], '/nonexistent/mainstay.toml cannot be read'],
    ['libvirt without hosts', ['--compute', 'libvirt'], 'compute.libvirt_hosts names no host'],
  ])('%s that does not exist is named in one line, exit 2', async (_, flags, text) => {
    const { code, stderr } = await runMainstay(['serve', '--data-dir', await directory(), ...flags])
    expect(stderr).toMatch(/^mainstay: [^\n]*\n$/)
    expect(stderr).toContain(text)
    expect(code).toBe(2)
  })

  test('an unknown option in a file is named with the file and the name that was meant', async () => {
    const dataDir = await directory()
    const config = join(dataDir, 'mainstay.toml')
    await writeFile(config, '[recovery]\nattemps = 3\n')
    const { code, stderr } = await runMainstay(['serve', '--data-dir', dataDir, '--config', config])
    expect(stderr).toContain('There is no option recovery.attemps. Did you mean recovery.attempts?')
    expect(stderr).toContain(config)
    expect(code).toBe(2)
  })
})

describe('mainstay demo', () => {
  test('shows a host that dies and its recovery, in less than a minute', { timeout: 90_000 }, async () => {
    const startedAt = performance.now()
    const { code, stdout, stderr } = await runMainstay(['demo'], { timeoutMs: 60_000 })
    expect(performance.now() - startedAt).toBeLessThan(60_000)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/A fleet of 12 hosts with 120 guests/)
    expect(stdout).toMatch(/host-001 loses its power/)
    expect(stdout).toMatch(/proved dead by simulated/)
    expect(stdout).toMatch(/finished: 10 guests of host host-001 run elsewhere/)
    expect(stdout).toMatch(/How long each part took: detect \d+ ms · decide \d+ ms · prove \d+ ms/)
  })
})

describe('mainstay agent', () => {
  const endpoint = ['--endpoint', 'http://127.0.0.1:9']

  test.each([
    ['a monitor that does not exist', ['--monitors', 'weather', ...endpoint], 'no monitor "weather"'],
    ['a host name that the API cannot take', ['--hostname', 'a b', ...endpoint], 'hostname is "a b"'],
    ['a file that is not there', ['--config', '/nonexistent/agent.conf', ...endpoint], 'agent.conf cannot be used'],
    ['no way to find the API', [], 'auth_type asks for Keystone'],
    ['an option of the server', ['--set', 'recovery.attempts=3', ...endpoint], 'takes no --set'],
  ])('with %s says so and exits 2', async (_, flags, text) => {
    const { code, stderr } = await runMainstay(['agent', '--data-dir', await directory(), ...flags])
    expect(stderr).toContain(text)
    expect(code).toBe(2)
  })
})

/** A request whose head is sent and whose body is still to come. */
function halfRequest(url: string, length: number): ClientRequest {
  const headers = { 'content-type': 'application/json', 'content-length': length, expect: '100-continue' }
  const agent = new Agent({ keepAlive: true })
  onTestFinished(() => agent.destroy())
  const sending = request(`${url}/v1/segments`, { method: 'POST', headers, agent })
  sending.flushHeaders()
  return sending
}
