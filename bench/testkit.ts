import { spawn } from 'node:child_process'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { setTimeout as delay } from 'node:timers/promises'
import { Cluster, runProgram, type ServerSpec } from '@mainstay/testkit'
import type { BenchOptions, BenchResult } from './run.ts'

/**
 * What a test pays for its servers: a cluster of one HTTP server with a SQLite database from a warm template, created,
 * ready and disposed of; and what a proxy between client and server costs. Beside it, in the same run, what one would
 * write by hand: `spawn`, ask every 50 ms, kill; and the same bytes without a proxy.
 */
const fixtures = new URL('../packages/testkit/fixtures/', import.meta.url)
const program = (name: string): string => fileURLToPath(new URL(name, fixtures))
const rounds = 25
const pouredMebibytes = 1024
const pourings = 5
const roundTrips = 4000

const api: ServerSpec = {
  name: 'api',
  command: [process.execPath, program('http-server.mjs')],
  listen: [{ name: 'http' }],
  diagnosticReport: false,
  database: {
    engine: 'sqlite',
    // It has caught nothing from outside, so one template serves every cluster.
    sources: [],
    migrate: async ({ path }) => {
      const { DatabaseSync } = await import('node:sqlite')
      const database = new DatabaseSync(path)
      for (let table = 0; table < 20; table++)
        database.exec(`create table t${table} (id integer primary key, name text)`)
      database.close()
    },
  },
}

export async function run(options: BenchOptions): Promise<BenchResult[]> {
  options.log(`testkit: ${rounds} clusters beside ${rounds} servers started by hand`)
  const { kit, byHand, cpuMs } = await lifetimes()
  options.log(`testkit: ${pouredMebibytes} MiB and ${roundTrips} round trips, with and without a proxy`)
  const proxy = await proxied()
  const versus = (
    metric: string,
    percentile: number,
    own: readonly number[],
    plain: readonly number[],
  ): BenchResult => {
    const value = round(quantile(own, percentile))
    const baseline = round(quantile(plain, percentile))
    return {
      metric,
      params: { percentile },
      value,
      unit: 'ms',
      baseline: { name: 'spawn and poll', value: baseline },
      ratio: round(value / baseline, 2),
    }
  }
  return [
    versus('create_ready_ms', 50, kit.ready, byHand.ready),
    versus('create_ready_ms', 95, kit.ready, byHand.ready),
    versus('dispose_ms', 50, kit.dispose, byHand.dispose),
    versus('dispose_ms', 95, kit.dispose, byHand.dispose),
    { metric: 'harness_cpu_ms', params: { per: 'cluster' }, value: round(cpuMs), unit: 'ms' },
    {
      metric: 'proxy_mb_per_s',
      params: {},
      value: round(proxy.mbPerS),
      unit: 'MB/s',
      baseline: { name: 'no proxy', value: round(proxy.directMbPerS) },
      ratio: round(proxy.mbPerS / proxy.directMbPerS, 2),
    },
    {
      metric: 'proxy_mb_per_cpu_s',
      params: {},
      value: round(proxy.mbPerCpuS),
      unit: 'MB/s',
      baseline: { name: 'bare pipe', value: round(proxy.pipe.mbPerCpuS) },
      ratio: round(proxy.mbPerCpuS / proxy.pipe.mbPerCpuS, 2),
    },
    { metric: 'bare_pipe_mb_per_s', params: {}, value: round(proxy.pipe.mbPerS), unit: 'MB/s' },
    {
      metric: 'proxy_added_ms',
      params: { percentile: 50 },
      value: round(proxy.roundTripMs - proxy.directRoundTripMs, 3),
      unit: 'ms',
      baseline: { name: 'round trip without a proxy', value: round(proxy.directRoundTripMs, 3) },
    },
  ]
}

interface Lifetimes {
  readonly ready: number[]
  readonly dispose: number[]
}

/** Turn by turn, so that a busy moment of the machine meets both. */
async function lifetimes(): Promise<{ kit: Lifetimes; byHand: Lifetimes; cpuMs: number }> {
  const kit: Lifetimes = { ready: [], dispose: [] }
  const byHand: Lifetimes = { ready: [], dispose: [] }
  await clusterOnce({ ready: [], dispose: [] })
  let cpu = 0
  for (let index = 0; index < rounds; index++) {
    const before = process.cpuUsage()
    await clusterOnce(kit)
    const { user, system } = process.cpuUsage(before)
    cpu += (user + system) / 1000
    await byHandOnce(byHand)
  }
  return { kit, byHand, cpuMs: cpu / rounds }
}

async function clusterOnce(into: Lifetimes): Promise<void> {
  const startedAt = performance.now()
  const cluster = await Cluster.create({ name: 'bench', servers: [api] })
  await cluster.startAll()
  const readyAt = performance.now()
  into.ready.push(readyAt - startedAt)
  await cluster.dispose()
  into.dispose.push(performance.now() - readyAt)
}

async function byHandOnce(into: Lifetimes): Promise<void> {
  const startedAt = performance.now()
  const port = await freePort()
  const child = spawn(process.execPath, [program('http-server.mjs')], {
    env: { ...process.env, LISTEN_PORT: String(port) },
    stdio: 'ignore',
  })
  const exited = new Promise((resolve) => {
    child.once('exit', resolve)
  })
  while (!(await answers(`http://127.0.0.1:${port}/healthz`))) await delay(50)
  const readyAt = performance.now()
  into.ready.push(readyAt - startedAt)
  child.kill('SIGTERM')
  await exited
  into.dispose.push(performance.now() - readyAt)
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url)).ok
  } catch {
    return false
  }
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => {
    server.close(resolve)
  })
  return port
}

interface Rate {
  readonly mbPerS: number
  /** What one processor would carry if it did nothing else. */
  readonly mbPerCpuS: number
}

interface Proxied extends Rate {
  readonly directMbPerS: number
  /** What one writes by hand: two sockets, each piped into the other. */
  readonly pipe: Rate
  readonly roundTripMs: number
  readonly directRoundTripMs: number
}

/** Client and server are processes of their own; the proxy has this one for itself. */
async function proxied(): Promise<Proxied> {
  const cluster = await Cluster.create({
    name: 'bench-proxy',
    servers: [
      {
        name: 'bulk',
        command: [process.execPath, program('bulk-server.mjs')],
        listen: [{ name: 'tcp', handover: { env: 'SOCKET_FD' } }],
        ready: { log: /listening/ },
      },
    ],
  })
  try {
    await cluster.startAll()
    const { port } = cluster.get('bulk')
    const proxy = await cluster.proxy('bulk')
    await using pipe = await barePipe(port)
    await pour(proxy.port, 64)
    const through = { kit: new Poured(), pipe: new Poured() }
    const directMbPerS: number[] = []
    for (let index = 0; index < pourings; index++) {
      await through.kit.pour(proxy.port)
      await through.pipe.pour(pipe.port)
      directMbPerS.push(await pour(port, pouredMebibytes))
    }
    return {
      ...through.kit.rate,
      directMbPerS: quantile(directMbPerS, 50),
      pipe: through.pipe.rate,
      ...(await pingBoth(proxy.port, port)),
    }
  } finally {
    await cluster.dispose()
  }
}

/** Some pourings through this process, and the processor time that they took here. */
class Poured {
  readonly #mbPerS: number[] = []
  #cpuS = 0

  async pour(port: number): Promise<void> {
    const before = process.cpuUsage()
    this.#mbPerS.push(await pour(port, pouredMebibytes))
    const { user, system } = process.cpuUsage(before)
    this.#cpuS += (user + system) / 1e6
  }

  get rate(): Rate {
    const megabytes = this.#mbPerS.length * pouredMebibytes * 1.048576
    return { mbPerS: quantile(this.#mbPerS, 50), mbPerCpuS: megabytes / this.#cpuS }
  }
}

async function barePipe(target: number): Promise<{ readonly port: number } & AsyncDisposable> {
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const onward = connect({ host: '127.0.0.1', port: target, allowHalfOpen: true, noDelay: true })
    client.pipe(onward)
    onward.pipe(client)
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const close = async (): Promise<void> => {
    await new Promise((resolve) => {
      server.close(resolve)
    })
  }
  return { port: (server.address() as AddressInfo).port, [Symbol.asyncDispose]: close }
}

async function pour(port: number, mebibytes: number): Promise<number> {
  const { stdout } = await runProgram([process.execPath, program('bulk-client.mjs'), String(port), String(mebibytes)])
  const { bytes, seconds } = JSON.parse(stdout) as { bytes: number; seconds: number }
  if (bytes !== mebibytes * 1024 * 1024) throw new Error(`${bytes} bytes arrived, ${mebibytes} MiB were asked for`)
  return bytes / 1e6 / seconds
}

async function pingBoth(proxyPort: number, port: number): Promise<{ roundTripMs: number; directRoundTripMs: number }> {
  const [through, direct] = await Promise.all([open(proxyPort), open(port)])
  const times: { through: number[]; direct: number[] } = { through: [], direct: [] }
  for (let index = 0; index < roundTrips; index++) {
    times.direct.push(await ping(direct))
    times.through.push(await ping(through))
  }
  through.destroy()
  direct.destroy()
  return { roundTripMs: quantile(times.through, 50), directRoundTripMs: quantile(times.direct, 50) }
}

async function open(port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true })
  await new Promise((resolve, reject) => {
    socket.once('connect', resolve)
    socket.once('error', reject)
  })
  return socket
}

async function ping(socket: Socket): Promise<number> {
  const startedAt = performance.now()
  const answered = new Promise((resolve) => {
    socket.once('data', resolve)
  })
  socket.write('ping')
  await answered
  return performance.now() - startedAt
}

function quantile(values: readonly number[], percentile: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percentile) / 100))] ?? Number.NaN
}

function round(value: number, digits = 1): number {
  return Number(value.toFixed(digits))
}
