import { spawn } from 'node:child_process'
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import { InvalidInputError } from '../../core/errors.ts'
import { silentLogger } from '../../core/logging.ts'
import { auditFleetLog } from './audit-fleet-log.ts'
import { SimulatedCompute } from './compute.ts'
import { FLEET_LOG_NAME, readFleetLog } from './fleet-log.ts'

describe('a fleet in a directory', () => {
  let directory: string
  let clock: ManualClock

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'mainstay-fleet-'))
    clock = new ManualClock()
  })
  afterEach(() => rmSync(directory, { recursive: true }))

  const open = (size = {}): SimulatedCompute => {
    return new SimulatedCompute({ clock, logger: silentLogger(), directory, size: { hosts: 3, guests: 6, ...size } })
  }
  const path = (): string => join(directory, FLEET_LOG_NAME)
  const acting = (key: string) => ({ signal: AbortSignal.timeout(5_000), key, fence: 7 })

  async function stopFirst(compute: SimulatedCompute): Promise<string> {
    const [guest] = compute.fleet.world.guests.keys()
    await compute.stop(guest!, acting('stop-it'))
    return guest!
  }

  test('is as it was when it is opened again', async () => {
    const before = open()
    const guest = await stopFirst(before)
    await clock.advance(1_000)
    before.fleet.killHost('host-002')
    await before.close()
    const after = open()
    expect(after.fleet.guest(guest)).toMatchObject({ state: 'stopped', runs: false })
    expect(after.fleet.host('host-002').condition).toBe('crashed')
    expect(after.fleet.world.eventCount).toBe(before.fleet.world.eventCount)
    await after.close()
  })

  test('does what was accepted before its process ended', async () => {
    const before = open()
    const guest = await stopFirst(before)
    await before.close()
    const after = open()
    expect(after.fleet.guest(guest).pending?.act).toBe('stop')
    await clock.advance(1_000)
    expect(after.fleet.guest(guest)).toMatchObject({ state: 'stopped', pending: null })
    await after.close()
  })

  test('does at once what fell due while no process ran', async () => {
    const before = open()
    const guest = await stopFirst(before)
    await before.close()
    await clock.advance(60_000)
    const after = open()
    expect(after.fleet.guest(guest).state).toBe('stopped')
    await after.close()
  })

  test('writes who did what to whom, and where', async () => {
    const compute = open()
    const guest = await stopFirst(compute)
    await clock.advance(1_000)
    await compute.close()
    const { host } = compute.fleet.guest(guest)
    const line = { type: 'stopped', instance: guest, host: host.name, key: 'stop-it', fence: 7 }
    expect(readFleetLog(directory).at(-1)).toMatchObject(line)
  })

  test('cuts off a last line that was not written to its end, and goes on', async () => {
    const before = open()
    await before.close()
    appendFileSync(path(), '{"type":"killed","at":1,"instance":"0000')
    const after = open()
    const guest = await stopFirst(after)
    await clock.advance(1_000)
    await after.close()
    expect(readFleetLog(directory).map(({ type }) => type)).toEqual(['fleet', 'accepted', 'stopped'])
    expect(auditFleetLog(readFleetLog(directory)).world.guests.get(guest)?.state).toBe('stopped')
  })

  test.each([
    ['no JSON', 'gibberish\n', /Line 2 of .* is not valid JSON/],
    ['no event', '{"type":"party"}\n', /Line 2 of .* is no event/],
  ])('refuses a log with a line that is %s', async (_what, line, message) => {
    await open().close()
    appendFileSync(path(), line)
    expect(open).toThrow(InvalidInputError)
    expect(open).toThrow(message)
  })

  test('refuses a log that does not begin with the size of its fleet', () => {
    writeFileSync(path(), '{"type":"host-up","at":1,"host":"host-001"}\n')
    expect(open).toThrow(InvalidInputError)
  })

  test('refuses a directory with a fleet of another size', async () => {
    await open().close()
    expect(() => open({ guests: 7 })).toThrow(/holds a simulated fleet of 3 hosts, 6 guests/)
  })

  test('refuses an act that cannot be written, and keeps what it acknowledged', { timeout: 30_000 }, async () => {
    const program = fileURLToPath(new URL('fixtures/busy-fleet.ts', import.meta.url))
    // Files of this shell's children end at 16 KiB, as on a disk that is full.
    const limited = ['-c', 'ulimit -f 16; exec "$0" "$@"', process.execPath, program, directory]
    const child = spawn('bash', limited, { stdio: ['ignore', 'pipe', 'pipe'] })
    onTestFinished(() => void child.kill('SIGKILL'))
    const [acknowledged, complaint] = await Promise.all([text(child.stdout), text(child.stderr)])
    expect(complaint).toContain('MS_COMPUTE_UNAVAILABLE')
    expect(complaint).toMatch(/cannot be written to .*fleet\.jsonl: .* Nothing was changed/)
    const events = readFleetLog(directory)
    const kept = events.flatMap((event) => ('key' in event && event.type !== 'accepted' ? [event.key] : []))
    expect(kept).toEqual(expect.arrayContaining(acknowledged.trim().split('\n')))
    expect(readFileSync(path()).at(-1)).toBe('\n'.codePointAt(0))
  })

  test('keeps every act that it acknowledged when its process is killed', { timeout: 30_000 }, async () => {
    const program = fileURLToPath(new URL('fixtures/busy-fleet.ts', import.meta.url))
    const child = spawn(process.execPath, [program, directory], { stdio: ['ignore', 'pipe', 'inherit'] })
    const acknowledged: string[] = []
    onTestFinished(() => void child.kill('SIGKILL'))
    for await (const line of createInterface({ input: child.stdout })) {
      acknowledged.push(line)
      if (acknowledged.length === 200) child.kill('SIGKILL')
    }
    expect(acknowledged.length).toBeGreaterThanOrEqual(200)
    const kept = new Set(readFleetLog(directory).map((event) => ('key' in event ? event.key : '')))
    // The pipe may cut the last line that the child printed.
    for (const key of acknowledged.slice(0, -1)) expect(kept).toContain(key)
    expect(readFileSync(path()).length).toBeGreaterThan(0)
    const after = new SimulatedCompute({ clock, logger: silentLogger(), directory })
    expect(after.fleet.world.eventCount).toBe(readFleetLog(directory).length)
    await after.close()
  })
})
