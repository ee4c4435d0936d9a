import { existsSync } from 'node:fs'
import { request } from 'node:http'
import { request as secureRequest } from 'node:https'
import { connect } from 'node:net'
import { reasonOf } from '../errors.ts'
import type { LogLine } from '../logs/log-line.ts'
import { describeOwners, holderOf, lookAtPort } from '../ports/port-owner.ts'
import { runProgram } from '../process/run.ts'
import type { Readiness, ReadyTarget } from './readiness.ts'

/** What a probe needs of the server that it asks. */
export interface ProbeTarget extends ReadyTarget {
  /** The address of each listener, by name: an IP address, or `unix`. */
  readonly hosts: Readonly<Record<string, string>>
  /** The paths of the listeners that are UNIX sockets, by name. */
  readonly sockets: Readonly<Record<string, string>>
  /** Set when the first listener is a UNIX socket. */
  readonly socketPath: string | undefined
  /** The lines of the present start. */
  linesOfThisRun(): readonly LogLine[]
  /** Whether a READY=1 datagram has arrived in the present start. */
  readonly notified: boolean
  sql(statement: string): Promise<unknown>
}

/** One look. `fatal` ends the wait at once: more looking cannot help. */
export interface ProbeResult {
  readonly ok: boolean
  readonly said: string
  readonly fatal?: boolean
}

/** The text of a condition in a message. */
export function describeReadiness(readiness: Readiness): string {
  if ('http' in readiness) return `HTTP ${readiness.http}`
  if ('log' in readiness) return `log line ${String(readiness.log)}`
  if ('port' in readiness) return `port ${readiness.port}`
  if ('unix' in readiness) return `socket ${readiness.unix}`
  if ('file' in readiness) return `file ${readiness.file}`
  if ('exec' in readiness) return readiness.exec.join(' ')
  if ('sql' in readiness) return `SQL ${readiness.sql}`
  if ('fn' in readiness) return 'a function'
  if ('notify' in readiness) return 'notification'
  const [word, parts] = 'all' in readiness ? ['all', readiness.all] : ['any', readiness.any]
  return `${word} of (${parts.map(describeReadiness).join('; ')})`
}

/** Looks once, for at most `timeoutMs`. Never throws: what went wrong is the result's text. */
export async function probeOnce(readiness: Readiness, target: ProbeTarget, timeoutMs: number): Promise<ProbeResult> {
  try {
    return await look(readiness, target, timeoutMs)
  } catch (error) {
    return { ok: false, said: reasonOf(error) }
  }
}

async function look(readiness: Readiness, target: ProbeTarget, timeoutMs: number): Promise<ProbeResult> {
  if ('http' in readiness) return await lookHttp(readiness, target, timeoutMs)
  if ('log' in readiness) return lookLog(readiness, target)
  if ('port' in readiness) return await lookPort(readiness.port, target, timeoutMs)
  if ('unix' in readiness) {
    await connectTo({ path: readiness.unix }, timeoutMs)
    return { ok: true, said: 'connected' }
  }
  if ('file' in readiness) {
    const exists = existsSync(readiness.file)
    return { ok: exists, said: exists ? 'exists' : `${readiness.file} does not exist` }
  }
  if ('exec' in readiness) return await lookExec(readiness, timeoutMs)
  if ('sql' in readiness) {
    await within(target.sql(readiness.sql), timeoutMs)
    return { ok: true, said: 'answered' }
  }
  if ('fn' in readiness) {
    const answer = await within(Promise.resolve(readiness.fn(target)), timeoutMs)
    return { ok: answer !== false, said: answer === false ? 'the function said no' : 'the function said yes' }
  }
  if ('notify' in readiness) {
    const ok = target.notified || target.linesOfThisRun().some(isReadyLine)
    return { ok, said: ok ? 'notified' : 'no notification yet' }
  }
  return await lookCombined(readiness, target, timeoutMs)
}

async function lookCombined(
  readiness: Extract<Readiness, { all: unknown } | { any: unknown }>,
  target: ProbeTarget,
  timeoutMs: number,
): Promise<ProbeResult> {
  const parts = 'all' in readiness ? readiness.all : readiness.any
  const results = await Promise.all(parts.map((part) => probeOnce(part, target, timeoutMs)))
  const ok = 'all' in readiness ? results.every((result) => result.ok) : results.some((result) => result.ok)
  const said = results.map((result, index) => `${describeReadiness(parts[index]!)}: ${result.said}`).join('; ')
  return { ok, said, fatal: !ok && results.some((result) => result.fatal === true) }
}

async function lookHttp(
  readiness: Extract<Readiness, { http: string }>,
  target: ProbeTarget,
  timeoutMs: number,
): Promise<ProbeResult> {
  const { status, body } = await fetchOnce(readiness.http, readiness.headers ?? {}, target, timeoutMs)
  if (!statusFits(status, readiness.status)) return { ok: false, said: `HTTP ${status}` }
  if (readiness.body === undefined) return { ok: true, said: `HTTP ${status}` }
  const fits = typeof readiness.body === 'function' ? readiness.body(body) : readiness.body.test(body)
  return { ok: fits, said: `HTTP ${status}, body ${fits ? 'fits' : 'does not fit'}` }
}

function statusFits(
  status: number,
  wanted: number | readonly number[] | ((status: number) => boolean) | undefined,
): boolean {
  if (wanted === undefined) return (status >= 200 && status < 400) || status === 401 || status === 403
  if (typeof wanted === 'function') return wanted(status)
  return typeof wanted === 'number' ? status === wanted : wanted.includes(status)
}

async function fetchOnce(
  pathOrUrl: string,
  headers: Readonly<Record<string, string>>,
  target: ProbeTarget,
  timeoutMs: number,
): Promise<{ status: number; body: string }> {
  const url = /^https?:/.test(pathOrUrl)
    ? pathOrUrl
    : `${target.url === '' ? 'http://localhost' : target.url}${pathOrUrl}`
  const ask = url.startsWith('https:') ? secureRequest : request
  return await new Promise((resolve, reject) => {
    const query = ask(url, {
      headers: { ...headers, connection: 'close' },
      agent: false,
      signal: AbortSignal.timeout(Math.max(1, Math.ceil(timeoutMs))),
      ...(target.socketPath === undefined ? {} : { socketPath: target.socketPath }),
    })
    query.once('error', reject)
    query.once('response', (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        body += chunk
      })
      response.once('error', reject)
      response.once('end', () => resolve({ status: response.statusCode ?? 0, body }))
    })
    query.end()
  })
}

function lookLog(readiness: Extract<Readiness, { log: RegExp }>, target: ProbeTarget): ProbeResult {
  const { log, stream, times = 1 } = readiness
  const pattern = new RegExp(log.source, log.flags.replaceAll(/[gy]/g, ''))
  const seen = target
    .linesOfThisRun()
    .filter((line) => (stream === undefined || line.stream === stream) && pattern.test(line.text)).length
  return { ok: seen >= times, said: `seen ${seen} of ${times} times` }
}

async function lookPort(name: string, target: ProbeTarget, timeoutMs: number): Promise<ProbeResult> {
  const path = target.sockets[name]
  if (path !== undefined) {
    await connectTo({ path }, timeoutMs)
    return { ok: true, said: 'connected' }
  }
  const port = target.ports[name]
  if (port === undefined) return { ok: false, said: `there is no listener "${name}"`, fatal: true }
  await connectTo({ host: target.hosts[name] ?? '127.0.0.1', port }, timeoutMs)
  if (process.platform !== 'linux') return { ok: true, said: 'connected' }
  const sight = lookAtPort(port, target.pid)
  const holder = holderOf(sight)
  if (holder === 'group') return { ok: true, said: 'connected' }
  if (holder === 'nobody') return { ok: false, said: `port ${port} answered, but by now nobody listens on it` }
  return { ok: false, fatal: true, said: `port ${port} answered but belongs to ${describeOwners(sight.owners)}` }
}

async function lookExec(readiness: Extract<Readiness, { exec: unknown }>, timeoutMs: number): Promise<ProbeResult> {
  const env = { ...process.env, ...readiness.env }
  const { exitCode } = await runProgram(readiness.exec, { timeoutMs, env, expectExitCode: 'any' })
  return { ok: exitCode === (readiness.code ?? 0), said: `exit code ${exitCode}` }
}

async function connectTo(where: { host: string; port: number } | { path: string }, timeoutMs: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const socket = connect(where)
    socket.setTimeout(Math.max(1, timeoutMs), () => socket.destroy(new Error('no connection in time')))
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.destroy()
      resolve()
    })
  })
}

async function within<T>(work: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${Math.round(timeoutMs)} ms`)), Math.max(1, timeoutMs))
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

function isReadyLine(line: LogLine): boolean {
  return line.stream === 'stdout' && /^\s*\{"mainstay":\s*"ready"/.test(line.text)
}
