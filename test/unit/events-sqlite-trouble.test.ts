import { spawn } from 'node:child_process'
import { copyFile, mkdtemp, open, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

import { describe, expect, test, vi, type TestContext } from 'vitest'

import { runCommand } from '../../packages/mainstay/src/core/child-process.ts'
import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { SystemIds } from '../../packages/mainstay/src/core/ids.ts'
import { parseJson, type JsonObject } from '../../packages/mainstay/src/core/json.ts'
import { createLogger, silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import { Metrics } from '../../packages/mainstay/src/core/metrics.ts'
import { SystemRandom } from '../../packages/mainstay/src/core/random.ts'
import { IngestMetrics } from '../../packages/mainstay/src/events/ingest-metrics.ts'
import { EventIngest } from '../../packages/mainstay/src/events/ingest.ts'
import { SqliteEventLog } from '../../packages/mainstay/src/events/sqlite/log.ts'
import { EventSpool } from '../../packages/mainstay/src/events/spool/spool.ts'
import type { StreamEvent } from '../../packages/mainstay/src/events/stream-event.ts'
import { newEvent, newEvents } from '../../packages/mainstay/src/events/testing/new-event.ts'
import { StoreCorruptError, StoreUnavailableError } from '../../packages/mainstay/src/store/index.ts'
import { SqliteConnection } from '../../packages/mainstay/src/store/sqlite/connection.ts'
import { need, needThat } from '../support/need.ts'

const PROCESS = fileURLToPath(new URL('support/events-process.ts', import.meta.url))
const TIMEOUT_MS = 120_000

// These start processes, on a machine that may be busy.
vi.setConfig({ testTimeout: TIMEOUT_MS })

const clock = new SystemClock()

async function scratch(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'mainstay-events-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) }
}

async function openLog(directory: string, logger = silentLogger()): Promise<SqliteEventLog> {
  return await SqliteEventLog.open({ path: join(directory, 'events.db'), clock, ids: new SystemIds(), logger })
}

async function readAll(directory: string): Promise<readonly StreamEvent[]> {
  const log = await openLog(directory)
  try {
    return await log.read({ after: 0, limit: 1_000_000 })
  } finally {
    await log.close()
  }
}

/** Places are contiguous and every event is whole; @returns the numbers of the events, in the order of the log. */
function numbersOf(events: readonly StreamEvent[]): number[] {
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1))
  return events.map(({ data, source_event_id: source }) => {
    const { name, pad } = data as { name: number; pad: string }
    expect([source, pad.length]).toEqual([`source-${name}`, name % 3000])
    return name
  })
}

async function runProcess(mode: string, path: string): Promise<JsonObject> {
  const { stdout, exitCode, stderr } = await runCommand([process.execPath, PROCESS, mode, path], {
    timeoutMs: TIMEOUT_MS,
  })
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 })
  return parseJson(stdout, 'what the process printed') as JsonObject
}

describe('a process with an event log', () => {
  test('E-224, E-220 killed again and again keeps what it acknowledged, whole, once and at its place; asked again it keeps one', async () => {
    await using place = await scratch()
    const acknowledged = new Set<number>()
    let last: readonly StreamEvent[] = []
    for (let round = 0; round < 6; round += 1) {
      // It begins with events that the one before may have stored and was not able to say so.
      const first = Math.max(0, ...acknowledged) - 8
      for (const number of await killAfter(place.path, Math.max(0, first), 15 + round * 61)) acknowledged.add(number)
      const events = await readAll(place.path)
      const numbers = numbersOf(events)
      expect(new Set(numbers).size).toBe(numbers.length)
      expect([...acknowledged].filter((number) => !numbers.includes(number))).toEqual([])
      expect(events.slice(0, last.length).map(({ cursor, id }) => `${cursor} ${id}`)).toEqual(
        last.map(({ cursor, id }) => `${cursor} ${id}`),
      )
      last = events
    }
    expect(acknowledged.size).toBeGreaterThan(300)
  })

  test('E-224 whose last writes are cut off or garbled anywhere has a whole beginning of its events', async () => {
    await using place = await scratch()
    const log = await openLog(place.path)
    for (let start = 0; start < 120; start += 4) {
      await log.append(
        [0, 1, 2, 3].map((more) =>
          newEvent(start + more, { data: { name: start + more, pad: 'x'.repeat((start + more) % 3000) } }),
        ),
      )
    }
    const copies = await Promise.all(
      Array.from({ length: 12 }, async (_, number) => {
        const copy = await scratch()
        await copyFile(join(place.path, 'events.db'), join(copy.path, 'events.db'))
        await copyFile(join(place.path, 'events.db-wal'), join(copy.path, 'events.db-wal'))
        return { copy, number }
      }),
    )
    await log.close()
    const lengths: number[] = []
    for (const { copy, number } of copies) {
      await using own = copy
      const wal = join(own.path, 'events.db-wal')
      const { size } = await stat(wal)
      const cut = Math.floor((size * (number + 1)) / 13)
      if (number % 2 === 0) await truncate(wal, cut)
      else await garble(wal, cut)
      const numbers = numbersOf(await readAll(own.path))
      expect(numbers).toEqual(numbers.map((_, index) => index))
      expect(numbers.length % 4).toBe(0)
      lengths.push(numbers.length)
    }
    expect(Math.min(...lengths)).toBeLessThan(Math.max(...lengths))
  })

  test('on a disk that fills up refuses, keeps what it has in order, and goes on once there is room', async (ctx) => {
    const result = await inOwnMounts(
      ctx,
      `mount -t tmpfs -o size=6m tmpfs /mnt
       head -c 2000000 /dev/zero >/mnt/ballast
       exec "$1" "$2" fill /mnt`,
    )
    expect(result).toMatchObject({
      failure: { code: 'MS_EVENT_SPOOL_UNWRITABLE', message: expect.stringMatching(/Check its disk/) },
      trouble: expect.stringMatching(/events\.db is full or failing .* Free some space/),
      inOrder: true,
      head: result['accepted'],
    })
    expect(result['accepted']).toBeGreaterThan(100)
  })

  test('E-222 that nobody listens to stays as small as it was', async () => {
    await using place = await scratch()
    const { grown, head } = await runProcess('silence', place.path)
    expect(head).toBe(105_000)
    // The texts alone are 65 MB. What grows is the index of ids, some 24 bytes for each.
    expect(grown).toBeLessThan(16 * 1024 * 1024)
  })
})

describe('an event log on SQLite', () => {
  test('of another process is refused in so many words', async () => {
    await using place = await scratch()
    const log = await openLog(place.path)
    const opening = openLog(place.path)
    await expect(opening).rejects.toThrow(StoreUnavailableError)
    await expect(opening).rejects.toThrow(/events\.db is locked by another process/)
    await log.close()
  })

  test.each<[how: string, damage: (path: string) => Promise<void>]>([
    ['no database at all', async (path) => await writeFile(path, 'a shopping list, not a database\n'.repeat(200))],
    ['garbage in the middle', async (path) => await garble(path, Math.floor((await stat(path)).size / 4))],
    ['cut in half', async (path) => await truncate(path, Math.floor((await stat(path)).size / 2))],
  ])('that is damaged is not taken for an empty one: %s', async (_how, damage) => {
    await using place = await scratch()
    const log = await openLog(place.path)
    await log.append(newEvents(2000))
    await log.close()
    await damage(join(place.path, 'events.db'))
    const reading = readAll(place.path)
    await expect(reading).rejects.toThrow(StoreCorruptError)
    await expect(reading).rejects.toThrow(/events\.db is damaged or is no database .* Keep a copy of it/)
  })

  test('R6 begins a new epoch when the machine went down while it was open, and keeps its events', async () => {
    await using place = await scratch()
    const before = await openLog(place.path)
    await before.append(newEvents(3))
    const { epoch } = await before.extent()
    await before.close()
    const path = join(place.path, 'events.db')
    const said = async (boot: string): Promise<void> => {
      const connection = new SqliteConnection({ path })
      connection.query('update state set unflushed_boot = ?', [boot])
      connection.close()
    }
    await said((await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim())
    const killed = await openLog(place.path)
    expect((await killed.extent()).epoch).toBe(epoch)
    await killed.close()

    await said('an earlier run of the machine')
    const lines: string[] = []
    const after = await openLog(place.path, createLogger({ destination: { write: (line) => void lines.push(line) } }))
    const extent = await after.extent()
    expect(extent).toMatchObject({ oldest: 1, head: 3 })
    expect(extent.epoch).not.toBe(epoch)
    expect(lines.join('')).toContain('a new epoch begins')
    const [event] = await after.read({ after: 2, limit: 1 })
    expect(event!.cursor).toBe(`${extent.epoch}:3`)
    await after.close()
  })

  test('E-223 has no secret in any file, nor has the spool, nor do logs', async () => {
    await using place = await scratch()
    const lines: string[] = []
    const logger = createLogger({ level: 'trace', destination: { write: (line) => void lines.push(line) } })
    const log = await openLog(place.path, logger)
    const spool = await EventSpool.open({ directory: join(place.path, 'spool'), logger })
    const metrics = new IngestMetrics(new Metrics(), () => spool.bytes)
    const ingest = new EventIngest({ log, spool, clock, logger, random: new SystemRandom(), metrics, retryMs: 5 })
    const secret = 'correct-horse-battery-staple'
    const data = {
      'ironic_object.data': { driver_info: { ipmi_password: secret, redfish_address: `https://u:${secret}@bmc` } },
      _context_auth_token: secret,
      auth: { identity: { password: { user: { name: 'u', password: secret } } } },
      config_drive: secret,
    }
    await ingest.accept([newEvent('visible-1', { data })])
    await log.close()
    await expect(ingest.accept([newEvent('visible-2', { data })])).rejects.toThrow('event log')
    await spool.append([])
    await ingest.close()
    const written = await runCommand(['grep', '-rlaE', `${secret}|visible-1`, place.path], { timeoutMs: TIMEOUT_MS })
    expect(written.stdout).toContain('events.db')
    const found = await runCommand(['grep', '-rla', secret, place.path], { timeoutMs: TIMEOUT_MS })
    expect([found.stdout, lines.join('').includes(secret)]).toEqual(['', false])
  })
})

/** Turns everything from a place on into garbage. */
async function garble(path: string, from: number): Promise<void> {
  const { size } = await stat(path)
  const file = await open(path, 'r+')
  await file.write(Buffer.alloc(size - from, 0xa5), 0, undefined, from)
  await file.close()
}

/** Lets a process take events in, kills it after so many acknowledged ones, and returns the numbers of all that it said. */
async function killAfter(path: string, first: number, count: number): Promise<number[]> {
  const child = spawn(process.execPath, [PROCESS, 'write', path, String(first)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const numbers: number[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    numbers.push(Number(line))
    if (numbers.length === count) child.kill('SIGKILL')
  }
  return numbers
}

/** Runs shell lines in a mount namespace of their own, or skips the test where that is not allowed. */
async function inOwnMounts(ctx: TestContext, script: string): Promise<JsonObject> {
  const unshare = need(ctx, { program: 'unshare', package: 'util-linux' })
  const own = [unshare, '--mount', ...(process.getuid?.() === 0 ? [] : ['--user', '--map-root-user'])] as const
  const probe = await runCommand([...own, 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'], { timeoutMs: TIMEOUT_MS })
  needThat(ctx, probe.exitCode === 0, `a mount namespace of our own is not allowed here: ${probe.stderr.trim()}`)
  const result = await runCommand([...own, 'sh', '-euc', script, 'sh', process.execPath, PROCESS], {
    timeoutMs: TIMEOUT_MS,
  })
  expect(result).toMatchObject({ exitCode: 0, killedBy: null })
  return parseJson(result.stdout.trim().split('\n').at(-1)!, 'the last line') as JsonObject
}
