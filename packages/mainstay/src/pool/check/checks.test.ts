import { createServer as createHttpServer, type RequestListener } from 'node:http'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'

import { describe, expect, onTestFinished, test, vi } from 'vitest'

import { ManualClock, SystemClock } from '../../core/clock.ts'
import { TimeoutError } from '../../core/errors.ts'
import { SimulatedCloud, SimulatedProvider } from '../provider/simulated/index.ts'
import type { MachineStatus } from '../provider/provider.ts'
import { CheckNotRunError, createCheck, type CheckOptions, type CheckedVm } from './index.ts'
import { DEFAULT_SSH_CHECK, sshCommand } from './ssh-check.ts'

// These wait for programs and sockets of the machine, which may be busy.
vi.setConfig({ testTimeout: 60_000 })

const FAKE_SSH = fileURLToPath(new URL('testing/fake-ssh.sh', import.meta.url))
const PARTS = { clock: new SystemClock(), provider: () => undefined }

function vm(change: Partial<CheckedVm> = {}): CheckedVm {
  return { name: 'vm-1', ip: '127.0.0.1', group: 'g', provider: 'sim', providerId: null, providerData: null, ...change }
}

const asking = () => ({ signal: new AbortController().signal })

async function outcomeOf(options: CheckOptions | readonly CheckOptions[], target = vm()): Promise<string> {
  const check = createCheck('kind' in options ? [options] : options, PARTS)
  const { passed, reason } = await check(target, asking())
  return passed ? 'passed' : reason
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => await new Promise<void>((resolve) => void server.close(() => resolve())))
  return (server.address() as AddressInfo).port
}

async function greetingServer(greet: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    greet(socket)
  })
  const port = await listen(server)
  onTestFinished(() => sockets.forEach((socket) => socket.destroy()))
  return port
}

async function webServer(answer: RequestListener): Promise<number> {
  const server = createHttpServer(answer)
  const port = await listen(server)
  onTestFinished(() => server.closeAllConnections())
  return port
}

/** A port where nobody listens. */
async function closedPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise<void>((resolve) => void server.close(() => resolve()))
  return port
}

describe('by ssh (C7, A8)', () => {
  test.each([
    ['127.0.0.1', 'passed'],
    ['127.0.0.2', 'unexpected output: motd: welcome hello'],
    ['127.0.0.3', 'connection error: ssh: connect to host 127.0.0.3 port 22: Connection refused'],
    ['127.0.0.4', 'status 1: bash: broken'],
    ['127.0.0.6', 'unexpected output: \0\0\0'],
    ['127.0.0.7', 'status none: (nothing)'],
  ])('C7 B-67 a machine at %s: %s', async (ip, expected) => {
    const outcome = await outcomeOf({ kind: 'ssh', program: FAKE_SSH }, vm({ ip }))
    expect(outcome.slice(0, expected.length)).toBe(expected)
  })

  test('the command and what it must print can be given', async () => {
    const options = { kind: 'ssh', program: FAKE_SSH, command: 'printf "%s" ok', expected: 'ok' } as const
    expect(await outcomeOf(options)).toBe('passed')
  })

  test('the program gets its options as ssh wants them, the address after the end of options', () => {
    const options = { ...DEFAULT_SSH_CHECK, configFile: '/etc/b', identityFile: '/k', settings: ['A=b'], user: 'me' }
    const command = ['ssh', '-F', '/etc/b', '-i', '/k', '-o', 'A=b', '-p', '22', '-l', 'me', '--', '::1', 'echo hello']
    expect(sshCommand(options, '::1')).toEqual(command)
    expect(sshCommand({ ...options, port: null }, '::1')).toEqual(
      command.filter((each) => !['-p', '22'].includes(each)),
    )
  })

  test('a missing program says nothing about the machine', async () => {
    await expect(outcomeOf({ kind: 'ssh', program: '/no/such/ssh' })).rejects.toThrow(CheckNotRunError)
  })

  test.each([null, '', 'example.com', '-oProxyCommand=id'])('an address of %j is never passed on', async (ip) => {
    await expect(outcomeOf({ kind: 'ssh', program: FAKE_SSH }, vm({ ip }))).rejects.toThrow(CheckNotRunError)
  })

  test('C7 ends with its time, whatever the machine does', async () => {
    const controller = new AbortController()
    const check = createCheck([{ kind: 'ssh', program: FAKE_SSH }], PARTS)
    const checking = check(vm({ ip: '127.0.0.5' }), { signal: controller.signal })
    const reason = new TimeoutError('The check of vm-1', 10_000)
    controller.abort(reason)
    await expect(checking).rejects.toBe(reason)
  })
})

describe('by TCP (C7)', () => {
  test('passes where somebody listens, fails where nobody does', async () => {
    expect(await outcomeOf({ kind: 'tcp', port: await greetingServer(() => undefined) })).toBe('passed')
    expect(await outcomeOf({ kind: 'tcp', port: await closedPort() })).toContain('ECONNREFUSED')
  })

  test.each([
    ['SSH-2.0-OpenSSH_10\r\n', 'passed'],
    ['SSH-2.0', 'passed'],
    ['HTTP/1.1 400', 'it greets with "HTTP/1." instead of "SSH-2.0"'],
  ])('a machine that greets with %j: %s', async (greeting, expected) => {
    const port = await greetingServer((socket) => {
      // In two pieces, as the network may bring them.
      socket.write(greeting.slice(0, 3), () => socket.write(greeting.slice(3)))
    })
    expect(await outcomeOf({ kind: 'tcp', port, greeting: 'SSH-2.0' })).toBe(expected)
  })

  test('a machine that hangs up without a greeting fails', async () => {
    const port = await greetingServer((socket) => socket.end('SSH'))
    expect(await outcomeOf({ kind: 'tcp', port, greeting: 'SSH-2.0' })).toContain('nothing more')
  })

  test('C7 ends with its time when the machine is silent', async () => {
    const controller = new AbortController()
    const reason = new TimeoutError('The check of vm-1', 10_000)
    const port = await greetingServer(() => controller.abort(reason))
    const check = createCheck([{ kind: 'tcp', port, greeting: 'SSH' }], PARTS)
    await expect(check(vm(), { signal: controller.signal })).rejects.toBe(reason)
  })
})

describe('by HTTP (C7)', () => {
  test('passes with a good status and the expected text', async () => {
    const port = await webServer((_, response) => response.end('all is well here'))
    expect(await outcomeOf({ kind: 'http', port })).toBe('passed')
    expect(await outcomeOf({ kind: 'http', port, contains: 'is well' })).toBe('passed')
    expect(await outcomeOf({ kind: 'http', port, contains: 'ill' })).toContain('does not contain')
  })

  test('asks what it is told to ask', async () => {
    const seen: unknown[] = []
    const port = await webServer(({ method, url, headers }, response) => {
      seen.push([method, url, headers['x-probe']])
      response.end()
    })
    await outcomeOf({ kind: 'http', port, method: 'HEAD', path: '/health?deep=1', headers: { 'X-Probe': 'pool' } })
    expect(seen).toEqual([['HEAD', '/health?deep=1', 'pool']])
  })

  test('fails with another status, a redirection, a broken answer, and where nobody listens', async () => {
    const statuses = [503, 302]
    const port = await webServer((_, response) => response.writeHead(statuses.shift()!, { location: '/' }).end())
    expect(await outcomeOf({ kind: 'http', port })).toContain('status 503')
    expect(await outcomeOf({ kind: 'http', port })).toContain('status 302')
    const garbage = await greetingServer((socket) => socket.end('SSH-2.0 not a web server\r\n\r\n'))
    expect(await outcomeOf({ kind: 'http', port: garbage })).toContain('Parse Error')
    expect(await outcomeOf({ kind: 'http', port: await closedPort() })).toContain('ECONNREFUSED')
  })

  test('reads no more than the beginning of an endless body', async () => {
    const port = await webServer((_, response) => {
      const more = (): void => void response.write('x'.repeat(65_536), () => setImmediate(more))
      response.on('error', () => undefined)
      more()
    })
    expect(await outcomeOf({ kind: 'http', port, contains: 'never' })).toContain('does not contain')
  })

  test('C7 ends with its time when the machine is silent', async () => {
    const controller = new AbortController()
    const reason = new TimeoutError('The check of vm-1', 10_000)
    const port = await webServer(() => controller.abort(reason))
    const check = createCheck([{ kind: 'http', port }], PARTS)
    await expect(check(vm(), { signal: controller.signal })).rejects.toBe(reason)
  })
})

describe('by its provider (C7)', () => {
  function lab() {
    const clock = new ManualClock()
    const cloud = new SimulatedCloud({ clock })
    const provider = new SimulatedProvider({ name: 'sim', installation: 'ours', cloud })
    const tags = { installation: 'ours', pool: 'g', vmName: 'vm-1', createdAt: 0 }
    const check = createCheck([{ kind: 'provider' }], { clock, provider: () => provider })
    return { clock, cloud, tags, check }
  }

  test.each([
    ['running', 'passed'],
    ['stopped', 'provider sim shows it stopped'],
    ['error', 'provider sim shows it error'],
    ['deleting', 'provider sim shows it deleting'],
  ] satisfies [MachineStatus, string][])('a machine that is %s there: %s', async (status, expected) => {
    const { cloud, tags, check } = lab()
    cloud.add({ name: 'vm-1', tags, status })
    const { passed, reason } = await check(vm(), asking())
    expect(passed ? 'passed' : reason).toBe(expected)
  })

  test('a machine that is not there fails', async () => {
    const { check } = lab()
    expect(await check(vm(), asking())).toEqual({ passed: false, reason: 'provider sim has no such machine' })
  })

  test.each(['building', 'unknown'] satisfies MachineStatus[])('%s says nothing about the machine', async (status) => {
    const { cloud, tags, check } = lab()
    cloud.add({ name: 'vm-1', tags, status })
    await expect(check(vm(), asking())).rejects.toThrow(CheckNotRunError)
  })

  test('C7 a provider that fails or is silent does not count against the machine', async () => {
    const { clock, cloud, tags, check } = lab()
    cloud.add({ name: 'vm-1', tags })
    cloud.faults.order('describe', 'authentication')
    await expect(check(vm(), asking())).rejects.toThrow(CheckNotRunError)
    cloud.faults.order('describe', 'hang')
    const checking = check(vm(), asking())
    const [outcome] = await Promise.allSettled([checking, clock.advance(5000)])
    expect(outcome).toMatchObject({ status: 'rejected', reason: expect.any(CheckNotRunError) })
    await expect(outcomeOf({ kind: 'provider' })).rejects.toThrow('is not configured')
  })
})

describe('by a program of the user (C7)', () => {
  const hook = (script: string): CheckOptions => ({ kind: 'hook', command: ['sh', '-c', script, '${MAINSTAY_VM_IP}'] })

  test.each([
    ['exit 0', 'passed'],
    ['echo disk full; exit 3', 'status 3: disk full'],
    ['kill -KILL $$', 'status none: (nothing)'],
    ['[ "$MAINSTAY_VM_NAME $0 $MAINSTAY_VM_GROUP" = "vm-1 127.0.0.1 g" ]', 'passed'],
  ])('%s: %s', async (script, expected) => {
    expect(await outcomeOf(hook(script))).toBe(expected)
  })

  test('that is missing says nothing about the machine', async () => {
    await expect(outcomeOf({ kind: 'hook', command: ['/no/such/check'] })).rejects.toThrow(CheckNotRunError)
  })

  test('C7 ends with its time and is killed with its children', async () => {
    const controller = new AbortController()
    const reason = new TimeoutError('The check of vm-1', 10_000)
    const port = await greetingServer(() => controller.abort(reason))
    const connect = `require('node:net').connect(${port}, '127.0.0.1')`
    const check = createCheck([{ kind: 'hook', command: [process.execPath, '-e', connect] }], PARTS)
    await expect(check(vm(), { signal: controller.signal })).rejects.toBe(reason)
  })
})

describe('several checks (C7)', () => {
  test('are made in their order until one does not pass', async () => {
    const port = await closedPort()
    const script = 'echo should not have been run; exit 1'
    const checks: CheckOptions[] = [
      { kind: 'ssh', program: FAKE_SSH },
      { kind: 'tcp', port },
      { kind: 'hook', command: ['sh', '-c', script] },
    ]
    expect(await outcomeOf(checks)).toContain('ECONNREFUSED')
    expect(await outcomeOf([])).toBe('passed')
  })
})
