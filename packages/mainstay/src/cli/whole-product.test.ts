import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { loadServer } from './load-server.ts'
import { runCommand, type CommandOutcome } from './testing/run-command.ts'

const TIMEOUT_MS = 30_000
const FAST = ['start', 'evacuate', 'power'].flatMap((what) => ['--set', `compute.simulated_${what}_ms=10`])
const STOPPED = '{"event":"STOPPED","host_status":"NORMAL","cluster_status":"OFFLINE"}'

let directory: string
let endpoint: string
let served: Promise<CommandOutcome>
const stop = new AbortController()

/** The product as `mainstay serve` runs it, in this process, with a small fleet that is quick. */
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mainstay-cli-'))
  const listening = Promise.withResolvers<string>()
  const flags = ['--listen', '127.0.0.1:0', '--data-dir', directory, '--sim-hosts', '4', '--sim-guests', '8']
  served = runCommand(['serve', ...flags, ...FAST, '--set', 'log.level=silent'], {
    server: await loadServer(),
    signal: stop.signal,
    onOutput: (stdout) => {
      const address = /http:\/\/\S+:\d+/.exec(stdout)
      if (address !== null) listening.resolve(address[0])
    },
  })
  served.then((outcome) => listening.reject(new Error(`serve ended: ${outcome.stderr}`)), listening.reject)
  endpoint = await listening.promise
}, TIMEOUT_MS)

afterAll(async () => {
  stop.abort()
  await served
  await rm(directory, { recursive: true, force: true })
}, TIMEOUT_MS)

async function mainstay(...argv: readonly string[]): Promise<CommandOutcome> {
  return await runCommand(argv, { env: { MAINSTAY_ENDPOINT: endpoint, USER: 'kim' } })
}

async function output(...argv: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await mainstay(...argv)
  expect({ argv, code, stderr }).toEqual({ argv, code: 0, stderr: '' })
  return stdout
}

describe('from the report of a dead host to the explanation of its recovery', { timeout: TIMEOUT_MS }, () => {
  beforeAll(async () => {
    await output('segment', 'create', 's1', 'auto', 'COMPUTE')
    for (const host of ['host-001', 'host-002', 'host-003'])
      await output('host', 'create', host, 'COMPUTE', 'SSH', 's1')
    const report = ['notification', 'create', 'COMPUTE_HOST', 'host-001', '2026-01-01T00:00:00Z', STOPPED]
    await output(...report, '--wait', '--interval', '20ms')
  }, TIMEOUT_MS)

  test('the host is under maintenance and its guests have moved', async () => {
    expect(await output('host', 'list', '--on-maintenance', 'true', '-f', 'value', '-c', 'name')).toBe('host-001\n')
    expect(await output('notification', 'list', '-f', 'value', '-c', 'status')).toBe('finished\n')
    const notification = (await output('notification', 'list', '-f', 'value', '-c', 'notification_uuid')).trim()
    const moves = JSON.parse(await output('vmove', 'list', notification, '-f', 'json')) as Record<string, string>[]
    expect(moves.length).toBeGreaterThan(0)
    for (const move of moves) expect(move).toMatchObject({ source_host: 'host-001', status: 'succeeded' })
  })

  test('the recovery is listed, shown and explained', async () => {
    const [id = '', ...rest] = (
      await output('recovery', 'list', '--host', 'host-001', '-f', 'value', '-c', 'id')
    ).split('\n')
    expect(rest).toEqual([''])
    const recovery = JSON.parse(await output('recovery', 'show', id, '-f', 'json')) as Record<string, unknown>
    expect(recovery).toMatchObject({ id, type: 'host', subject: 'host-001', status: 'completed' })
    const text = await output('recovery', 'explain', id)
    expect(text).toContain('The recovery of host host-001 is COMPLETED.')
    for (const phase of ['detect', 'decide', 'prove', 'act', 'confirm']) {
      expect(text).toMatch(new RegExp(`^  ${phase} +\\d\\d:\\d\\d:`, 'm'))
    }
    expect(text.match(/<- slowest$/gm)).toHaveLength(1)
    expect(text).toMatch(/ rule \S.*: \S/)
    expect(text).toContain('because')
  })

  test('what is over cannot be stopped or tried again: exit 3', async () => {
    const id = (await output('recovery', 'list', '-f', 'value', '-c', 'id')).trim()
    for (const action of ['cancel', 'retry']) {
      const outcome = await mainstay('recovery', action, id, '--reason', 'w')
      expect(outcome).toMatchObject({ code: 3, stdout: '' })
      expect(outcome.stderr).toMatch(/^mainstay: [^\n]+\n$/)
    }
  })

  test('nobody waits for an assertion about a host that is not held: exit 3', async () => {
    expect(await mainstay('fence', 'host-002', '--assert-dead', '--reason', 'w')).toMatchObject({ code: 3, stdout: '' })
  })
})

test('a second server for the same data is refused in one line', async () => {
  const outcome = await runCommand(['serve', '--listen', '127.0.0.1:0', '--data-dir', directory], {
    server: await loadServer(),
  })
  expect(outcome.code).not.toBe(0)
  expect(outcome.stderr).toMatch(/^mainstay: [^\n]+\n$/)
  expect(outcome.stderr).toContain(directory)
})

test('check finds everything usable where it is', { timeout: TIMEOUT_MS }, async () => {
  const elsewhere = await mkdtemp(join(directory, 'check-'))
  const outcome = await runCommand(['check', '--data-dir', elsewhere], { server: await loadServer() })
  expect(outcome).toMatchObject({ code: 0, stderr: '' })
  expect(outcome.stdout.split('\n').map((line) => line.split(/ {2,}/, 2).join(' '))).toEqual([
    'ok configuration',
    'ok data directory',
    'ok access',
    'ok database',
    'ok compute (simulated)',
    '',
  ])
})

test('serve ends well when it is told to', { timeout: TIMEOUT_MS }, async () => {
  stop.abort()
  expect(await served).toMatchObject({ code: 0, stderr: '' })
  expect(await mainstay('segment', 'list')).toMatchObject({ code: 4 })
})
