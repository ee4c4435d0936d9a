import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { Agent, request, type ClientRequest, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { Cluster } from '@mainstay/testkit'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'

// A whole server is started, which takes its time on a busy machine.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const PROGRAM = fileURLToPath(new URL('../../bin/mainstay.mjs', import.meta.url))

const PATIENCE_MS = 30_000

/** What a server prints once it serves. */
const READY = /http:\/\/127\.0\.0\.1:\d+/

let directory: string
let oldNode: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mainstay-launcher-'))
  // The launcher looks at nothing but the number, so this is an old Node on any machine.
  oldNode = join(directory, 'old-node.mjs')
  await writeFile(
    oldNode,
    "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.20.2' } })\n" +
      "process.on('SIGTERM', () => process.stderr.write('The launcher heard SIGTERM.\\n'))\n",
  )
})

afterAll(async () => {
  await rm(directory, { recursive: true, force: true })
})

interface Launched {
  /** Waits for words, and returns all that was printed. */
  readonly printed: (pattern: RegExp) => Promise<string>
  /** Sends a signal to the launcher alone. */
  readonly signal: (signal: NodeJS.Signals) => void
  /** Sends a signal to the launcher and to what it started, as a terminal does at Ctrl-C. */
  readonly signalGroup: (signal: NodeJS.Signals) => void
  /** How the launcher has ended. */
  readonly ended: () => Promise<[code: number | null, signal: NodeJS.Signals | null]>
}

/** Starts the program on an older Node, in a process group of its own, and waits for words that it prints. */
async function launch(args: readonly string[], ready: RegExp): Promise<Launched> {
  const cluster = await Cluster.create({ name: 'launcher' })
  onTestFinished(async () => void (await cluster.dispose()))
  const launcher = cluster.add({
    name: 'launcher',
    command: () => [process.execPath, '--import', oldNode, PROGRAM, ...args],
    ready: { log: ready },
    startTimeoutMs: PATIENCE_MS,
  })
  await launcher.start()
  const pid = launcher.pid!
  const text = (): string =>
    launcher
      .logs()
      .filter(({ stream }) => stream !== 'harness')
      .map((line) => line.text)
      .join('\n')
  const printed = async (pattern: RegExp): Promise<string> => {
    await expect.poll(text, { timeout: PATIENCE_MS }).toMatch(pattern)
    return text()
  }
  const signal = (name: NodeJS.Signals): void => void process.kill(pid, name)
  const signalGroup = (name: NodeJS.Signals): void => void process.kill(-pid, name)
  const ended: Launched['ended'] = async () => {
    const exit = await launcher.exit
    return [exit.code, exit.signal]
  }
  return { printed, signal, signalGroup, ended }
}

function serveArgs(): string[] {
  const set = ['compute.simulated_hosts=1', 'compute.simulated_guests=0', 'log.level=warn'].flatMap((option) => [
    '--set',
    option,
  ])
  return ['serve', '--listen', '127.0.0.1:0', '--data-dir', join(directory, 'data'), ...set]
}

/** Begins a request whose body does not come before somebody ends it. */
async function beginRequest(url: string): Promise<ClientRequest> {
  const agent = new Agent()
  onTestFinished(() => agent.destroy())
  const headers = { 'content-type': 'application/json', 'content-length': 2, expect: '100-continue' }
  const sending = request(`${url}/v1/segments`, { method: 'POST', headers, agent })
  sending.flushHeaders()
  await once(sending, 'continue')
  return sending
}

async function untilRefused(url: string): Promise<void> {
  const look = (): Promise<string> => fetch(`${url}/healthcheck`).then(String, () => 'refused')
  await expect.poll(look, { timeout: PATIENCE_MS }).toBe('refused')
}

describe('a signal to the process group, on an older Node (ha-api 20.2)', () => {
  test('SIGINT, as by Ctrl-C, lets an agent stop in good order', async () => {
    const paths = ['--data-dir', join(directory, 'agent'), '--libvirt-socket', join(directory, 'none.sock')]
    const { ended, signalGroup } = await launch(
      ['agent', '--monitors', 'instance', '--endpoint', 'http://127.0.0.1:9', '--hostname', 'h', ...paths],
      /Cannot connect to libvirt/,
    )
    signalGroup('SIGINT')
    expect(await ended()).toEqual([0, null])
  })

  test('SIGTERM, as by a service manager, lets a server answer what runs', async () => {
    const { ended, signal, signalGroup, printed } = await launch(serveArgs(), READY)
    const url = READY.exec(await printed(READY))![0]
    const sending = await beginRequest(url)
    const answered = once(sending, 'response') as Promise<[IncomingMessage]>
    // The launcher hears of it when the server has taken it in already.
    signal('SIGSTOP')
    signalGroup('SIGTERM')
    await Promise.race([untilRefused(url), answered])
    signal('SIGCONT')
    await Promise.race([printed(/The launcher heard SIGTERM/), answered])
    sending.end('{}')
    const [answer] = await answered
    answer.resume()
    expect(answer.statusCode).toBe(400)
    expect(await ended()).toEqual([0, null])
  })

  test('a second SIGTERM does not wait for what runs', async () => {
    const { ended, signalGroup, printed } = await launch(serveArgs(), READY)
    const url = READY.exec(await printed(READY))![0]
    const sending = await beginRequest(url)
    const broken = once(sending, 'error')
    signalGroup('SIGTERM')
    await untilRefused(url)
    signalGroup('SIGTERM')
    expect(await ended()).toEqual([null, 'SIGTERM'])
    expect(await broken).toMatchObject([{ code: 'ECONNRESET' }])
  })

  test.each(['SIGTERM', 'SIGINT'] as const)('%s to the launcher alone is handed on', async (name) => {
    const { ended, signal } = await launch(serveArgs(), READY)
    signal(name)
    // SIGINT ends a server at once.
    expect(await ended()).toEqual(name === 'SIGTERM' ? [0, null] : [null, 'SIGINT'])
  })
})
