import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { createClient, type MainstayClient, type Recovery, type RecoveryStep } from '../../client/index.ts'
import { SystemClock, type Clock } from '../../core/clock.ts'
import { TimeoutError } from '../../core/errors.ts'
import { toJson } from '../../core/json.ts'
import { formatZulu } from '../../core/timestamp.ts'
import { loadConfig } from '../config/load.ts'
import { startServer } from '../start-server.ts'

export interface DemoOptions {
  readonly signal: AbortSignal
  readonly hosts: number
  readonly guests: number
  readonly seed?: number | undefined
  /** Whether lines may be coloured and written over. */
  readonly terminal: boolean
  readonly print: (text: string) => void
}

/** The longest that the recovery may take before the demonstration gives up on it. */
const RECOVERY_TIMEOUT_MS = 45_000
const LOOK_MS = 50

/**
 * `mainstay demo`: a whole server with a simulated fleet, a host that loses its power, and its recovery as it happens.
 *
 * @throws TimeoutError when the recovery does not end in time
 */
export async function runDemo(options: DemoOptions): Promise<void> {
  const { hosts, guests, seed = 1 } = options
  const directory = await mkdtemp(join(tmpdir(), 'mainstay-demo-'))
  const fleet = [`hosts=${hosts}`, `guests=${guests}`, `seed=${seed}`].map((value) => `compute.simulated_${value}`)
  const set = [...fleet, 'server.listen=127.0.0.1:0', `server.data_dir=${directory}`, 'log.level=warn']
  const clock = new SystemClock()
  try {
    const server = await startServer(await loadConfig({ set }), { clock })
    try {
      options.print(`A fleet of ${hosts} hosts with ${guests} guests, served at ${server.url}\n`)
      const client = createClient({ endpoint: server.url })
      await play({ client, clock, options, killHost: (name) => server.compute.simulated!.fleet.killHost(name) })
    } finally {
      await server.stop()
    }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

interface Stage {
  readonly client: MainstayClient
  readonly clock: Clock
  readonly options: DemoOptions
  readonly killHost: (name: string) => void
}

async function play({ client, clock, options, killHost }: Stage): Promise<void> {
  const { hosts, print, signal } = options
  const victim = 'host-001'
  const segment = await client.segments.create({ name: 'demo', recovery_method: 'auto', service_type: 'COMPUTE' })
  for (let number = 1; number <= hosts; number += 1) {
    const name = `host-${String(number).padStart(3, '0')}`
    await client.hosts.create(segment.uuid, { name, type: 'COMPUTE', control_attributes: 'SSH' })
  }
  const startedAt = clock.now()
  const say = (at: number, text: string): void =>
    print(`${((at - startedAt) / 1000).toFixed(2).padStart(6)} s  ${text}\n`)
  killHost(victim)
  say(clock.now(), `${victim} loses its power`)
  const notification = await client.notifications.create({
    type: 'COMPUTE_HOST',
    hostname: victim,
    generated_time: formatZulu(startedAt),
    payload: { event: 'STOPPED', host_status: 'NORMAL', cluster_status: 'OFFLINE' },
  })
  say(clock.now(), 'a monitor reported it, and the report is on disk')
  const told = new Set<string>()
  let recovery: Recovery
  do {
    if (clock.now() - startedAt > RECOVERY_TIMEOUT_MS) throw new TimeoutError('The recovery', RECOVERY_TIMEOUT_MS)
    await clock.sleep(LOOK_MS, { signal })
    recovery = await client.recoveries.show(notification.notification_uuid, { signal })
    for (const [id, at, text] of news(recovery)) {
      if (told.has(id)) continue
      told.add(id)
      say(at, text)
    }
  } while (recovery.finishedAt === null)
  say(Date.parse(recovery.finishedAt), recovery.outcome ?? recovery.status)
  printTimeline(recovery, print)
}

/** What has happened so far, oldest first: an id, when, and a sentence. */
function news({ steps, decisions }: Recovery): [string, number, string][] {
  const decided = decisions.map(({ at, rule, verdict, reasons }): [string, number, string] => {
    const because = reasons.length === 0 ? '' : `: ${reasons.slice(0, 2).join(', ')}`
    return [`${at} ${rule}`, Date.parse(at), `${verdict}${because}  [${rule}]`]
  })
  const acts = steps.flatMap((step) => stepNews(step))
  return [...decided, ...acts].sort(([, a], [, b]) => a - b)
}

function stepNews({ key, state, at, finishedAt, output, error }: RecoveryStep): [string, number, string][] {
  const guest = /EvacuateInstancesTask\/([0-9a-f]{8})[0-9a-f-]*\/(evacuate|confirm)$/.exec(key)
  if (state === 'failed') return [[`${key} failed`, Date.parse(finishedAt ?? at), `failed: ${error}`]]
  if (key.endsWith('DisableComputeServiceTask') && state === 'done') {
    return [[key, Date.parse(finishedAt ?? at), 'no new guests are placed on it']]
  }
  if (guest === null) return []
  const [, name, act] = guest
  if (act === 'evacuate') return [[key, Date.parse(at), `guest ${name} is restarted elsewhere`]]
  return state === 'done' ? [[key, Date.parse(finishedAt ?? at), `guest ${name} runs on ${textOf(output)}`]] : []
}

function printTimeline({ timeline }: Recovery, print: (text: string) => void): void {
  const parts = timeline.map(({ phase, durationMs }) => `${phase} ${durationMs} ms`)
  print(`\nHow long each part took: ${parts.join(' · ')}\n`)
  const slowest = timeline.reduce((a, b) => ((b.durationMs ?? 0) > (a.durationMs ?? 0) ? b : a))
  print(`The slowest: ${slowest.phase}. Why it did all this: mainstay recovery explain <id> on a server of yours.\n`)
}

function textOf(output: RecoveryStep['output']): string {
  return typeof output === 'string' ? output : toJson(output)
}
