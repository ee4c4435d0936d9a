import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { describe, expect, test, vi } from 'vitest'
import { pollUntil } from './clock.ts'
import { Cluster } from './cluster.ts'
import { DisposeError } from './cluster-dispose.ts'
import { homeDir, readOwner, removeQuietly } from './home.ts'
import { findByEnvironment, identityOf, isAlive, signalProcess } from './process/process-table.ts'
import { runProgram } from './process/run.ts'
import { reaper } from './reaper/reaper-client.ts'
import { keptFile, keptFolders, limitKeptFolders, sweepDeadRuns } from './reaper/sweep.ts'
import { httpServer, rejection, script, withCluster } from './testing/fixture-server.ts'
import { atMostMs, patientMs, within } from './testing/patience.ts'

type Child = ChildProcessByStdio<Writable, Readable, null>

interface Told {
  readonly dir: string
  readonly marker: string
  readonly pids?: readonly number[]
}

/** A test run of its own, which says one line when everything is up. */
async function run(
  fixture: string,
  env: NodeJS.ProcessEnv = {},
): Promise<{ child: Child; told: Told; exited: Promise<number | null> }> {
  const program = fileURLToPath(new URL(`../fixtures/${fixture}`, import.meta.url))
  const child = spawn(process.execPath, [program], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  })
  const exited = new Promise<number | null>((resolve) => {
    child.once('exit', resolve)
  })
  for await (const line of createInterface({ input: child.stdout }))
    return { child, told: JSON.parse(line) as Told, exited }
  throw new Error(`${fixture} ended without a word`)
}

const locksOf = (home: string, pid: number | undefined): string[] =>
  readdirSync(join(home, 'ports')).filter(
    (name) => name.endsWith('.lock') && readOwner(join(home, 'ports', name))?.pid === pid,
  )

describe('clean-up and the reaper (testkit.md A10)', { timeout: 180_000 }, () => {
  test('H-62 every step runs although others fail, and all failures are reported', async () => {
    const stubborn = (name: string): ReturnType<typeof httpServer> =>
      httpServer({ name, env: { IGNORE_TERM: '1' }, stop: { graceMs: 50, killAfterMs: 100, strict: true } })
    const cluster = await Cluster.create({
      name: 'failing',
      servers: [stubborn('a'), stubborn('b'), httpServer({ name: 'c' })],
    })
    await cluster.startAll()
    const ran: string[] = []
    cluster.onDispose(() => {
      ran.push(`first, ${findByEnvironment([cluster.marker]).length} processes left`)
    })
    cluster.onDispose(() => Promise.reject(new Error('own work failed')))
    cluster.onDispose(() => {
      ran.push('last')
    })
    const error = await rejection(cluster.dispose())
    expect(error).toBeInstanceOf(DisposeError)
    expect(error).toBeInstanceOf(AggregateError)
    expect(error.message).toContain(`kept in ${cluster.dir}`)
    expect((error as DisposeError).report).toMatchObject({ keptDir: cluster.dir, timeline: cluster.timelineText() })
    for (const part of ['server "a" did not end', 'server "b" did not end', 'own work failed'])
      expect(error.message).toContain(part)
    expect(ran).toEqual(['last', 'first, 0 processes left'])
    expect(findByEnvironment([cluster.marker])).toEqual([])
    expect(existsSync(join(cluster.dir, 'timeline.log'))).toBe(true)
    removeQuietly(cluster.dir)
  })

  test(`H-63 after SIGKILL of the test process nothing of it is left ${within(1000)}`, async () => {
    const { child, told, exited } = await run('three-servers.ts')
    const identities = (told.pids ?? []).map(identityOf)
    expect(identities.map(isAlive)).toEqual([true, true, true, true, true])
    const { pid } = child
    child.kill('SIGKILL')
    await exited
    const killedAt = performance.now()
    expect(await pollUntil(() => !identities.some(isAlive), { timeoutMs: patientMs, intervalMs: 5 })).toBe(true)
    expect(performance.now() - killedAt).toBeLessThan(atMostMs(1000))
    expect(findByEnvironment([told.marker])).toEqual([])
    expect(await pollUntil(() => !existsSync(told.dir), { timeoutMs: patientMs })).toBe(true)
    expect(await pollUntil(() => locksOf(homeDir(), pid).length === 0, { timeoutMs: patientMs })).toBe(true)
  })

  test(`H-63 a server that ignores the polite signal is killed by the reaper ${within(1000)}`, async () => {
    const { child, told, exited } = await run('stubborn.ts')
    const [server] = (told.pids ?? []).map(identityOf)
    child.kill('SIGKILL')
    await exited
    const killedAt = performance.now()
    expect(
      await pollUntil(() => server !== undefined && !isAlive(server), { timeoutMs: patientMs, intervalMs: 5 }),
    ).toBe(true)
    expect(performance.now() - killedAt).toBeLessThan(atMostMs(1000))
    expect(await pollUntil(() => !existsSync(told.dir), { timeoutMs: patientMs })).toBe(true)
  })

  test('H-63 what is to be kept always stays after SIGKILL, and the next run leaves it alone', async () => {
    const home = join(homeDir('own-tests'), `always-${process.pid}`)
    const env = { MAINSTAY_TESTKIT_DIR: home, MAINSTAY_TESTKIT_KEEP: 'always' }
    const { child, told, exited } = await run('stubborn.ts', env)
    child.kill('SIGKILL')
    await exited
    expect(await pollUntil(() => existsSync(join(told.dir, keptFile)), { timeoutMs: patientMs })).toBe(true)
    // What was killed still needs the processor to end, and a busy machine gives it late.
    expect(await pollUntil(() => findByEnvironment([told.marker]).length === 0, { timeoutMs: patientMs })).toBe(true)
    await sweepDeadRuns(home)
    expect(existsSync(join(told.dir, 'stubborn', 'log', 'stdout.log'))).toBe(true)
    removeQuietly(home)
  })

  test('H-64 SIGINT while servers start ends with code 130 and leaves nothing', async () => {
    const { child, told, exited } = await run('interrupted.ts')
    expect(findByEnvironment([told.marker])).toHaveLength(2)
    child.kill('SIGINT')
    expect(await exited).toBe(130)
    expect(findByEnvironment([told.marker])).toEqual([])
    expect(existsSync(told.dir)).toBe(false)
  })

  test('H-64 while no cluster lives SIGTERM ends the process as if the kit were not there', async () => {
    const { child, exited } = await run('idle.ts')
    child.kill('SIGTERM')
    await exited
    expect(child.signalCode).toBe('SIGTERM')
  })

  test(`H-65 a reaper that is told goodbye ends ${within(1000)}`, async () => {
    const helper = reaper()
    const identity = identityOf(helper.pid ?? 0)
    expect(isAlive(identity)).toBe(true)
    const startedAt = performance.now()
    await helper.bye()
    expect(performance.now() - startedAt).toBeLessThan(atMostMs(1000))
    expect(isAlive(identity)).toBe(false)
  })

  test('H-65 a reaper that does not hear its goodbye is not waited for without end', async () => {
    const helper = reaper()
    const identity = identityOf(helper.pid ?? 0)
    expect(signalProcess(identity, 'SIGSTOP')).toBe(true)
    await helper.bye(20)
    expect(isAlive(identity)).toBe(false)
  })

  test('H-65 a sweep removes what a dead run left, and nothing of a living one', async () => {
    const home = join(homeDir('own-tests'), `sweep-${process.pid}`)
    const entry = (name: string, owner: object): string => {
      const dir = join(home, 'runs', name)
      mkdirSync(dir, { recursive: true })
      writeFileSync(join(dir, 'owner.json'), JSON.stringify(owner))
      return dir
    }
    const dead = { pid: process.pid, startTicks: 1 }
    const gone = entry('dead', { ...dead, marker: `MAINSTAY_TESTKIT_RUN=sweep-${process.pid}` })
    const kept = entry('kept', dead)
    writeFileSync(join(kept, keptFile), '')
    const always = entry('always', { ...dead, keep: true })
    const living = entry('living', identityOf(process.pid))
    mkdirSync(join(home, 'ports'))
    writeFileSync(join(home, 'ports', '20000.lock'), JSON.stringify(dead))
    writeFileSync(join(home, 'ports', '20001.lock'), JSON.stringify(identityOf(process.pid)))
    const orphan = spawn('sleep', ['30'], { env: { MAINSTAY_TESTKIT_RUN: `sweep-${process.pid}` }, detached: true })
    const identity = identityOf(orphan.pid ?? 0)
    await sweepDeadRuns(home)
    expect([gone, kept, always, living].map((dir) => existsSync(dir))).toEqual([false, true, true, true])
    expect([always, living].map((dir) => existsSync(join(dir, keptFile)))).toEqual([true, false])
    expect(readdirSync(join(home, 'ports'))).toEqual(['20001.lock'])
    expect(await pollUntil(() => !isAlive(identity), { timeoutMs: patientMs })).toBe(true)
    removeQuietly(home)
  })

  test('only so many kept folders stay, the newest', () => {
    const home = join(homeDir('own-tests'), `kept-${process.pid}`)
    for (let index = 0; index < keptFolders + 3; index++) {
      mkdirSync(join(home, 'runs', String(index)), { recursive: true })
      writeFileSync(join(home, 'runs', String(index), keptFile), '')
    }
    limitKeptFolders(home)
    expect(readdirSync(join(home, 'runs'))).toHaveLength(keptFolders)
    removeQuietly(home)
  })

  test('H-67 a disabled cluster creates nothing', async () => {
    const home = join(homeDir('own-tests'), `disabled-${process.pid}`)
    try {
      vi.stubEnv('MAINSTAY_TESTKIT_DIR', home)
      await expect(Cluster.create({ disabled: true, disabledReason: 'not today' })).rejects.toThrow('not today')
      expect(existsSync(home)).toBe(false)
    } finally {
      vi.unstubAllEnvs()
    }
  })

  test('H-68 a second clean-up does nothing; a closed cluster starts nothing', async () => {
    const cluster = await Cluster.create({ servers: [script('', { launch: 'oneshot' })] })
    const extra = join(homeDir('own-tests'), `extra-${process.pid}`)
    writeFileSync(extra, '')
    cluster.filesToDestroy.push(extra)
    const report = await cluster.dispose()
    expect(await cluster.dispose()).toBe(report)
    expect(existsSync(extra)).toBe(false)
    expect(existsSync(cluster.dir)).toBe(false)
    await expect(cluster.start('script')).rejects.toThrow('no more starts')
  })

  test('process.exit without a clean-up leaves no process', async () => {
    const entry = fileURLToPath(new URL('index.ts', import.meta.url))
    const program = fileURLToPath(new URL('../fixtures/http-server.mjs', import.meta.url))
    const code = `
      const { Cluster } = await import(${JSON.stringify(entry)})
      const cluster = await Cluster.create({ servers: [{ name: 'api', command: [process.execPath, ${JSON.stringify(program)}], listen: [{ name: 'http' }] }] })
      await cluster.startAll()
      console.log(cluster.marker)
      process.exit(3)`
    const { stdout, exitCode } = await runProgram([process.execPath, '--input-type=module', '-e', code], {
      expectExitCode: [3],
    })
    expect(exitCode).toBe(3)
    expect(await pollUntil(() => findByEnvironment([stdout.trim()]).length === 0, { timeoutMs: patientMs })).toBe(true)
  })

  test('four workers with some clusters each: no clash, no orphan, no folder left', { timeout: 180_000 }, async () => {
    const stress = fileURLToPath(new URL('../stress/clusters.ts', import.meta.url))
    const { stdout } = await runProgram([process.execPath, stress, '--workers', '4', '--clusters', '3', '--json'], {
      timeoutMs: 170_000,
    })
    expect(JSON.parse(stdout.trim().split('\n').at(-1) ?? '')).toMatchObject({
      clusters: 12,
      clashes: 0,
      orphans: 0,
      leakedFolders: 0,
      leakedLeases: 0,
      failures: 0,
    })
  })

  test('a test’s cluster is cleaned up when the test throws', async () => {
    let marker = ''
    const broken = withCluster([httpServer()], async (cluster) => {
      marker = cluster.marker
      await cluster.startAll()
      throw new Error('the test is red')
    })
    await expect(broken).rejects.toThrow('the test is red')
    expect(findByEnvironment([marker])).toEqual([])
  })
})
