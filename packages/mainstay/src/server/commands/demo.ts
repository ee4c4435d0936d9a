import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { createClient, type MainstayClient, type Recovery } from '../../client/index.ts'
import { SystemClock, type Clock } from '../../core/clock.ts'
import { formatDuration } from '../../core/format-duration.ts'
import { formatZulu } from '../../core/timestamp.ts'
import { loadConfig } from '../config/load.ts'
import { startServer } from '../start-server.ts'
import { demoNews } from './demo-news.ts'

export interface DemoOptions {
  readonly signal: AbortSignal
  readonly hosts: number
  readonly guests: number
  readonly seed?: number | undefined
  /** The longest that the recovery may take before the demonstration gives up on it, in milliseconds. */
  readonly timeoutMs: number
  /** Whether lines may be coloured and written over. */
  readonly terminal: boolean
  readonly print: (text: string) => void
}

/** How the demonstration ended. */
export interface DemoEnd {
  /** Whether all guests of the host run elsewhere. */
  readonly recovered: boolean
  /** What became of the recovery, in a sentence. */
  readonly text: string
}

const LOOK_MS = 50

/**
 * `mainstay demo`: a whole server with a simulated fleet, a host that loses its power, and its recovery as it happens.
 * A recovery that fails is not tried again: nobody adds a host to the fleet meanwhile.
 */
export async function runDemo(options: DemoOptions): Promise<DemoEnd> {
  const { hosts, guests, seed = 1 } = options
  const directory = await mkdtemp(join(tmpdir(), 'mainstay-demo-'))
  const fleet = [`hosts=${hosts}`, `guests=${guests}`, `seed=${seed}`].map((value) => `compute.simulated_${value}`)
  const set = [
    ...fleet,
    'server.listen=127.0.0.1:0',
    `server.data_dir=${directory}`,
    'log.level=silent',
    'recovery.attempts=1',
  ]
  const clock = new SystemClock()
  try {
    const server = await startServer(await loadConfig({ set }), { clock })
    try {
      options.print(`A fleet of ${hosts} hosts with ${guests} guests, served at ${server.url}\n`)
      const client = createClient({ endpoint: server.url })
      return await play({ client, clock, options, killHost: (name) => server.compute.simulated!.fleet.killHost(name) })
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

async function play({ client, clock, options, killHost }: Stage): Promise<DemoEnd> {
  const { hosts, timeoutMs, print, signal } = options
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
    await clock.sleep(LOOK_MS, { signal })
    recovery = await client.recoveries.show(notification.notification_uuid, { signal })
    for (const { id, at, text } of demoNews(recovery)) {
      if (told.has(id)) continue
      told.add(id)
      say(at, text)
    }
    if (recovery.finishedAt === null && clock.now() - startedAt > timeoutMs) return notInTime(recovery, timeoutMs)
  } while (recovery.finishedAt === null)
  const text = recovery.outcome ?? recovery.status
  say(Date.parse(recovery.finishedAt), text)
  printTimeline(recovery, print)
  return { recovered: recovery.status === 'completed', text }
}

function notInTime({ status, steps }: Recovery, timeoutMs: number): DemoEnd {
  const failures = steps.flatMap(({ error }) => error ?? [])
  const why = failures.length === 0 ? '' : ` What failed: ${[...new Set(failures)].join('; ')}`
  return { recovered: false, text: `it is still ${status} after ${formatDuration(timeoutMs)}.${why}` }
}

function printTimeline({ timeline }: Recovery, print: (text: string) => void): void {
  const parts = timeline.map(({ phase, durationMs }) => `${phase} ${durationMs} ms`)
  print(`\nHow long each part took: ${parts.join(' · ')}\n`)
  const slowest = timeline.reduce((a, b) => ((b.durationMs ?? 0) > (a.durationMs ?? 0) ? b : a))
  print(`The slowest: ${slowest.phase}. Why it did all this: mainstay recovery explain <id> on a server of yours.\n`)
}
