import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { CommandNotFoundError } from '../core/child-process.ts'
import { ManualClock, SystemClock } from '../core/clock.ts'
import { SystemIds } from '../core/ids.ts'
import { isJsonObject, parseJson, type JsonObject } from '../core/json.ts'
import { silentLogger } from '../core/logging.ts'
import { SystemRandom } from '../core/random.ts'
import { exitOf, startAgent, type AgentDeps, type RunningAgent } from './agent.ts'
import { agentOptions, type AgentOptions, type AgentOverrides } from './agent-options.ts'
import { AgentConfigError, SpoolBusyError } from './errors.ts'
import type { MonitorContext, MonitorHealth } from './monitor.ts'
import { watchNetwork } from './network-watch.ts'

let directory: string
const running: RunningAgent[] = []

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mainstay-agent-'))
})

afterEach(async () => {
  await Promise.all(running.splice(0).map(async (agent) => await agent.stop({ graceMs: 0 })))
  await rm(directory, { recursive: true })
})

/** A monitor that sees nothing by itself. */
class Watcher {
  context: MonitorContext | undefined
  healthy: MonitorHealth = { ready: true, detail: 'fine' }
  reloaded: AgentOptions | undefined
  stopped = false
}

function options(changed: AgentOverrides = {}): AgentOptions {
  return agentOptions({
    hostname: 'cn1',
    stateDir: directory,
    sender: { spoolDir: join(directory, 'spool') },
    api: { authType: 'none', endpoint: 'http://127.0.0.1:9/v1' },
    metrics: { listen: '127.0.0.1:0' },
    ...changed,
  })
}

async function start(watcher: Watcher, changed: AgentOverrides = {}): Promise<RunningAgent> {
  const monitor: NonNullable<AgentDeps['monitors']>['instance'] = async (context) => {
    watcher.context = context
    return {
      health: () => watcher.healthy,
      reload: (now) => (watcher.reloaded = now),
      stop: async () => void (watcher.stopped = true),
    }
  }
  const deps = { clock: new SystemClock(), ids: new SystemIds(), random: new SystemRandom(), logger: silentLogger() }
  const agent = await startAgent(['instance'], options(changed), { ...deps, monitors: { instance: monitor } })
  running.push(agent)
  return agent
}

async function page(agent: RunningAgent, path: string): Promise<{ status: number; body: JsonObject; text: string }> {
  const response = await fetch(`http://${agent.healthAddress}${path}`)
  const text = await response.text()
  const body = response.headers.get('content-type')?.includes('json') === true ? parseJson(text, path) : {}
  return { status: response.status, text, body: isJsonObject(body) ? body : {} }
}

describe('the pages of an agent (monitors 11.3, 12.7)', () => {
  test('/healthz says that it works', async () => {
    const agent = await start(new Watcher())
    expect(await page(agent, '/healthz')).toMatchObject({ status: 200, body: { ok: true, spool: 'on disk' } })
  })

  test('/readyz says what cannot be seen', async () => {
    const watcher = new Watcher()
    const agent = await start(watcher)
    expect(await page(agent, '/readyz')).toMatchObject({ status: 200, body: { api: 'not asked yet', waiting: 0 } })
    watcher.healthy = { ready: false, detail: 'libvirt is away' }
    const monitors = [{ name: 'instance', ready: false, detail: 'libvirt is away' }]
    expect(await page(agent, '/readyz')).toMatchObject({ status: 503, body: { ok: false, monitors } })
  })

  test('/metrics has the figures of the specification', async () => {
    const watcher = new Watcher()
    const agent = await start(watcher)
    const payload = { event: 'LIFECYCLE', instance_uuid: 'u', vir_domain_event: 'STOPPED_FAILED' }
    await watcher.context?.sink.accept({ type: 'VM', hostname: 'cn1', detectedAtMs: 0, payload })
    const { text } = await page(agent, '/metrics')
    expect(text).toContain('mainstay_spool_records 1')
    for (const name of [
      'mainstay_spool_oldest_seconds',
      'mainstay_detection_latency_seconds',
      'mainstay_delivery_latency_seconds',
      'mainstay_notifications_total',
      'mainstay_dead_letters_total',
      'mainstay_eventloop_lag_seconds',
    ]) {
      expect(text).toContain(`# HELP ${name} `)
    }
  })

  test('another path is not there', async () => {
    expect(await page(await start(new Watcher()), '/other')).toMatchObject({ status: 404 })
  })

  test('listen = 0 serves none', async () => {
    expect((await start(new Watcher(), { metrics: { listen: '0' } })).healthAddress).toBeUndefined()
  })

  test.each(['9710', 'localhost', '127.0.0.1:99999', ':1'])('listen = %s is refused', async (listen) => {
    await expect(start(new Watcher(), { metrics: { listen } })).rejects.toThrow(AgentConfigError)
  })

  test('an address that is taken is refused, and nothing is left running', async () => {
    const first = await start(new Watcher())
    const watcher = new Watcher()
    const spool = { sender: { spoolDir: join(directory, 'other') } }
    const taken = { metrics: { listen: first.healthAddress ?? '' }, ...spool }
    await expect(start(watcher, taken)).rejects.toThrow('EADDRINUSE')
    expect(watcher.stopped).toBe(true)
    await start(new Watcher(), spool)
  })
})

describe('starting, reloading and ending', () => {
  test('DL-2 stops within 2 s while a report waits for an API that is away', async () => {
    const watcher = new Watcher()
    const agent = await start(watcher)
    const payload = { event: 'LIFECYCLE', instance_uuid: 'u', vir_domain_event: 'STOPPED_FAILED' }
    await watcher.context?.sink.accept({ type: 'VM', hostname: 'cn1', detectedAtMs: 0, payload })
    const before = performance.now()
    await agent.stop()
    expect(performance.now() - before).toBeLessThan(2_000)
    expect(watcher.stopped).toBe(true)
  })

  test('IM-3 runs on while there is no libvirt, says so, and stops within 2 s', async () => {
    const deps = { clock: new SystemClock(), ids: new SystemIds(), random: new SystemRandom(), logger: silentLogger() }
    const nowhere = { libvirt: { connectionUri: `qemu:///system?socket=${join(directory, 'none')}` } }
    const agent = await startAgent(['instance'], options(nowhere), deps)
    running.push(agent)
    const detail = expect.stringContaining('libvirt is away: Cannot connect to libvirt') as string
    await expect
      .poll(async () => (await page(agent, '/readyz')).body['monitors'])
      .toEqual([{ name: 'instance', ready: false, detail }])
    expect(await page(agent, '/healthz')).toMatchObject({ status: 200 })
    const before = performance.now()
    await agent.stop()
    expect(performance.now() - before).toBeLessThan(2_000)
  })

  test('DL-3 a reload reaches the monitors; one that makes no sense changes nothing', async () => {
    const watcher = new Watcher()
    const agent = await start(watcher)
    const changed = options({ hostname: 'cn2' })
    agent.reload(changed)
    expect(watcher.reloaded).toBe(changed)
    expect(() => agent.reload(options({ api: { authType: 'token', endpoint: 'http://x' } }))).toThrow(AgentConfigError)
    expect(watcher.reloaded).toBe(changed)
  })

  test.each([
    [{ api: { authType: 'keystone' } }, 'without'],
    [{ api: { authType: 'none' } }, 'endpoint_override'],
    [{ api: { authType: 'token', endpoint: 'http://x' } }, 'token is not set'],
    [{ api: { authType: 'none', endpoint: 'http://x', certfile: '/c' } }, 'certfile'],
  ] satisfies [AgentOverrides, string][])('an access that cannot work is refused: %j', async (changed, text) => {
    await expect(start(new Watcher(), changed)).rejects.toThrow(text)
  })

  test('a second agent on the same spool is refused', async () => {
    await start(new Watcher())
    await expect(start(new Watcher())).rejects.toThrow(SpoolBusyError)
  })

  test('a monitor that this program does not have is refused', async () => {
    const deps = { clock: new SystemClock(), ids: new SystemIds(), random: new SystemRandom(), logger: silentLogger() }
    await expect(startAgent(['host'], options(), deps)).rejects.toThrow('There is no host monitor')
  })

  test.each([
    [new AgentConfigError('x'), 2],
    [new CommandNotFoundError('x'), 69],
    [new SpoolBusyError('/spool'), 1],
    [new TypeError('x'), 1],
  ])('DL-4 %s ends the process with %i', (error, code) => {
    expect(exitOf(error)).toEqual({ code, error })
  })
})

test('a change of this host’s addresses is noticed (monitors 2.4)', async () => {
  const clock = new ManualClock()
  let addresses = 'a'
  let changes = 0
  using _watch = watchNetwork(
    { clock, addresses: () => addresses },
    {
      periodMs: 5_000,
      changed: () => {
        changes += 1
      },
    },
  )
  await clock.advance(20_000)
  expect(changes).toBe(0)
  addresses = 'b'
  await clock.advance(5_000)
  await clock.advance(20_000)
  expect(changes).toBe(1)
})
