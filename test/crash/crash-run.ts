import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { auditFleetLog, readFleetLog, runningCopies } from '../../packages/mainstay/src/compute/simulated/index.ts'
import { loadConfig, startServer } from '../../packages/mainstay/src/server/index.ts'
import { auditStream } from './audit-stream.ts'
import { prepare, type Failure, type NotificationBody, type Scenario } from './scenarios.ts'
import { ServeClient } from '../support/serve-client.ts'
import { ServeProcess } from '../support/serve-process.ts'

/** What became of one failure whose server was killed at one point. */
export interface CrashOutcome {
  readonly scenario: string
  readonly store: string
  /** The crash point at which the server was to die; -1 for the run that is left undisturbed. */
  readonly point: number
  /** The notification's status in the end. */
  readonly status: string
  /** Guests that do not run in the end, or run on the dead host. */
  readonly lost: readonly string[]
  /** Guests that were started more than once, or ran on two hosts. */
  readonly double: readonly string[]
  /** What the event stream tells wrongly, or not at all, of the recovery. */
  readonly untold: readonly string[]
  /** Whether the server died before it was asked to stop. */
  readonly died: boolean
  /** How many crash points it passed, the one at which it died included. */
  readonly passed: number
}

export interface CrashStore {
  readonly name: string
  /** Makes a new empty database. @returns options of `mainstay serve` that use it */
  readonly fresh: () => Promise<readonly string[]>
}

const KILL_AT = new URL('kill-at.ts', import.meta.url).href

/** Only a run that lives waits that long. */
const LAST_POINTS_MS = 10_000

const TERMINAL = new Set(['finished', 'failed', 'ignored'])

const FLEET = [
  'compute.simulated_hosts=4',
  'compute.simulated_guests=8',
  'compute.simulated_start_ms=20',
  'compute.simulated_evacuate_ms=40',
  'compute.simulated_power_ms=5',
  'recovery.instance_ha_metadata_key=any',
  'recovery.process_all_instances=true',
  'recovery.retry_after_ms=200',
  'journal.lease_ms=1000',
  'journal.poll_ms=100',
  'log.level=warn',
]

/**
 * Brings a failure about, lets the server die at the given point, starts it again and looks at what became of it.
 *
 * @param point the crash point, 0 for the moment after the report, or undefined to let it live and count the points
 */
export async function crashRun(
  scenario: Scenario,
  store: CrashStore,
  point: number | undefined,
): Promise<CrashOutcome> {
  const dataDir = await mkdtemp(join(tmpdir(), 'mainstay-crash-'))
  const crashLog = join(dataDir, 'points.log')
  const set = [...FLEET, ...(scenario.set ?? []), ...(await store.fresh())]
  try {
    const { failure, died } = await firstLife({ dataDir, set }, scenario, { crashLog, point })
    const status = await secondLife({ dataDir, set }, failure)
    const passed = existsSync(crashLog) ? readFileSync(crashLog, 'utf8').trimEnd().split('\n').length : 0
    const { lost, double } = audit(dataDir, failure)
    const untold = await auditStream(dataDir, set, failure.notification)
    const found = { status, lost, double, untold, died, passed }
    return { scenario: scenario.name, store: store.name, point: point ?? -1, ...found }
  } finally {
    await rm(dataDir, { recursive: true, force: true })
  }
}

interface Life {
  readonly dataDir: string
  readonly set: readonly string[]
}

async function firstLife(
  life: Life,
  scenario: Scenario,
  { crashLog, point }: { crashLog: string; point: number | undefined },
): Promise<{ failure: Failure; died: boolean }> {
  const crashAt: Record<string, string> = point === undefined ? {} : { CRASH_AT: String(point) }
  const env = { CRASH_LOG: crashLog, ...crashAt }
  await using server = await ServeProcess.start({ ...life, env, imports: [KILL_AT] })
  const { client } = server
  await prepare(client, scenario)
  const failure = await scenario.fail(client)
  if (point === 0) await server.kill()
  await untilTerminalOrDead({ client, alive: () => server.alive }, failure.notification)
  // The last points come after the notification is terminal: give the process the moment that it needs to reach them.
  if (point !== undefined) {
    await Promise.race([server.ended(), new Promise((resolve) => setTimeout(resolve, LAST_POINTS_MS))])
  }
  const died = !server.alive
  if (!died) await server.stop()
  return { failure, died }
}

/** The next server runs in this process: it is the same program, and nothing kills it. */
async function secondLife({ dataDir, set }: Life, { notification }: Failure): Promise<string> {
  const own = [...set, 'server.listen=127.0.0.1:0', `server.data_dir=${dataDir}`]
  const server = await startServer(await loadConfig({ set: own }))
  try {
    const client = new ServeClient(server.url)
    return await untilTerminalOrDead({ client, alive: () => true }, notification)
  } finally {
    await server.stop()
  }
}

async function statusOf(client: ServeClient, notification: string): Promise<string | undefined> {
  const { status, body } = await client.request('GET', `/v1/notifications/${notification}`)
  return status === 200 ? (body as NotificationBody).notification.status : undefined
}

interface Watched {
  readonly client: ServeClient
  readonly alive: () => boolean
}

async function untilTerminalOrDead({ client, alive }: Watched, notification: string): Promise<string> {
  const deadline = Date.now() + 60_000
  let status = 'unknown'
  while (Date.now() < deadline && alive()) {
    try {
      status = (await statusOf(client, notification)) ?? status
    } catch (error) {
      // The server may die while it answers: that is what this is about.
      if (!(error instanceof Error)) throw error
    }
    if (TERMINAL.has(status)) return status
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  return alive() ? `stuck in ${status}` : 'dead'
}

/** Reads the fleet's own log, which no crash of ours can change. */
function audit(dataDir: string, { guests, notOn }: Failure): { lost: string[]; double: string[] } {
  const { world, starts, doubles } = auditFleetLog(readFleetLog(dataDir))
  const lost = guests.filter((guest) => {
    const hosts = runningCopies(world, guest)
    return hosts.length === 0 || (notOn !== null && hosts.includes(notOn))
  })
  const again = guests.filter((guest) => (starts.get(guest) ?? 0) > 1)
  return { lost, double: [...new Set([...again, ...doubles.map(({ instance }) => instance)])] }
}
