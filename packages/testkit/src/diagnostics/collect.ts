import { existsSync, readFileSync, readdirSync, statfsSync } from 'node:fs'
import { freemem, loadavg, totalmem } from 'node:os'
import { join } from 'node:path'
import { monotonicMs, pauseMs, pollUntil } from '../clock.ts'
import { reasonOf } from '../errors.ts'
import type { LogLine } from '../logs/log-line.ts'
import { describeOwners, listeningPortsOf, ownersOfPort } from '../ports/port-owner.ts'
import { findExecutable } from '../process/executable.ts'
import { commandOf, listProcesses, openDescriptors, readProcess, sendSignal } from '../process/process-table.ts'
import { runProgram } from '../process/run.ts'
import type { ExitInfo } from '../spec.ts'

/** What can be seen of a server that did not come up or did not go down. Source: testkit.md A8. */
export interface Diagnostics {
  readonly server: string
  readonly state: string
  readonly exit: ExitInfo | undefined
  /** One finding each: a name and a text. */
  readonly findings: Readonly<Record<string, string>>
  /** All of it, to read. */
  readonly text: string
}

export interface DiagnosticsSubject {
  readonly name: string
  readonly state: string
  readonly pid: number | undefined
  readonly members: readonly number[]
  readonly exit: ExitInfo | undefined
  readonly ports: Readonly<Record<string, number>>
  readonly dir: string
  /** Where Node writes a report on SIGUSR2; undefined for other programs. */
  readonly reportDir: string | undefined
  readonly lines: readonly LogLine[]
  /** Takes the secrets out of a text: what a server said and how it was called may have some. */
  readonly hide: (text: string) => string
}

/** For everything together. */
const budgetMs = 2000
const reportMs = 1000
/** For a process that had no CPU time to answer in. */
const starvedReportMs = 1700

/** Looks at everything within 2 s. What cannot be seen is noted and does no harm. */
export async function collectDiagnostics(subject: DiagnosticsSubject): Promise<Diagnostics> {
  const findings: Record<string, string> = {}
  const note = async (name: string, look: () => string | undefined | Promise<string | undefined>): Promise<void> => {
    try {
      const said = await look()
      if (said !== undefined && said !== '') findings[name] = subject.hide(said)
    } catch (error) {
      findings[name] = subject.hide(`(not available: ${reasonOf(error)})`)
    }
  }
  const pid = subject.exit === undefined ? subject.pid : undefined
  const { reportDir } = subject
  // Asked first and beside the rest: its answer is what takes long.
  const asked = pid === undefined || reportDir === undefined ? undefined : note('node', () => askNode(pid, reportDir))
  await Promise.race([
    (async () => {
      await note('exit', () => describeExit(subject.exit))
      await note('output', () => outputOf(subject.lines))
      if (pid !== undefined) {
        await note('process', () => describeProcess(pid))
        await note('children', () => describeChildren(pid))
        await note('descriptors', () =>
          openDescriptors(pid)
            .map(({ fd, target }) => `${fd} → ${target}`)
            .join('\n'),
        )
        await note('listening', () => listeningPortsOf(subject.members).join(', '))
        await note('memory', () => cgroupMemory(pid))
      }
      await note('ports', () => describePorts(subject.ports))
      await note('machine', () => describeMachine(subject.dir))
      if (pid === undefined) return
      await asked
      await note('trace', () => trace(pid))
    })(),
    pauseMs(budgetMs),
  ])
  const text = findingsText(findings)
  return { server: subject.name, state: subject.state, exit: subject.exit, findings: { ...findings }, text }
}

/** For people, each finding below its name. */
export function findingsText(findings: Readonly<Record<string, string>>): string {
  return Object.entries(findings)
    .map(([name, said]) => `[${name}]${said.includes('\n') ? '\n' : ' '}${said}`)
    .join('\n')
}

export function describeExit(exit: ExitInfo | undefined): string | undefined {
  if (exit === undefined) return undefined
  if (exit.signal === null) return `exit code ${exit.code}`
  const hint =
    exit.signal === 'SIGKILL' ? " (not by the kit? then look for the kernel's out-of-memory killer: dmesg)" : ''
  return `ended by ${exit.signal}${hint}`
}

/** The first 4 KiB and the last 64 KiB. */
function outputOf(lines: readonly LogLine[]): string {
  const text = lines
    .filter((line) => line.stream !== 'harness')
    .map((line) => `${line.stream} | ${line.text}`)
    .join('\n')
  const [head, tail] = [4 * 1024, 64 * 1024]
  return text.length <= head + tail
    ? text
    : `${text.slice(0, head)}\n… ${text.length - head - tail} characters left out …\n${text.slice(-tail)}`
}

function describeProcess(pid: number): string | undefined {
  const entry = readProcess(pid)
  if (entry === undefined) return undefined
  const waiting = readQuietly(`/proc/${pid}/wchan`)
  return `pid ${pid}, state ${entry.state}, ${entry.threads} threads, ${entry.cpuTicks * 10} ms CPU, waits in ${waiting ?? '?'}`
}

function describeChildren(pid: number): string {
  const all = listProcesses()
  const below = (parent: number, indent: string): string[] =>
    all
      .filter((entry) => entry.parentPid === parent)
      .flatMap((entry) => [
        `${indent}${entry.pid} ${entry.state} ${commandOf(entry.pid)}`,
        ...below(entry.pid, `${indent}  `),
      ])
  return below(pid, '').join('\n')
}

function cgroupMemory(pid: number): string | undefined {
  const group = readQuietly(`/proc/${pid}/cgroup`)
    ?.split('\n')
    .find((line) => line.startsWith('0::'))
    ?.slice(3)
  const current = group === undefined ? undefined : readQuietly(join('/sys/fs/cgroup', group, 'memory.current'))
  return current === undefined ? undefined : `${Math.round(Number(current) / 1024 / 1024)} MiB in the control group`
}

function describePorts(ports: Readonly<Record<string, number>>): string {
  return Object.entries(ports)
    .map(([name, port]) => {
      const owners = ownersOfPort(port)
      return `${name} = ${port}: ${owners.length === 0 ? 'nobody listens' : describeOwners(owners)}`
    })
    .join('\n')
}

function describeMachine(dir: string): string {
  const disk = existsSync(dir) ? statfsSync(dir) : undefined
  const free = disk === undefined ? '?' : `${Math.round((disk.bavail * disk.bsize) / 1024 / 1024)} MiB`
  const mib = (bytes: number): number => Math.round(bytes / 1024 / 1024)
  return `load ${loadavg()
    .map((n) => n.toFixed(2))
    .join(' ')}, memory ${mib(freemem())} of ${mib(totalmem())} MiB free, disk ${free} free`
}

/**
 * Asks a Node process for its report. It answers within milliseconds while its loop turns; when it does not, the loop
 * is blocked, and the CPU time used meanwhile tells spinning from waiting.
 */
async function askNode(pid: number, reportDir: string): Promise<string> {
  const before = new Set(readdirSync(reportDir))
  const cpuBefore = readProcess(pid)?.cpuTicks ?? 0
  // Before Node has installed its handler the signal would end the process: look whether it is caught.
  if (!catchesReportSignal(pid)) return 'Node has not started its own code yet'
  sendSignal(pid, 'SIGUSR2')
  const askedAt = monotonicMs()
  const usedMs = (): number => ((readProcess(pid)?.cpuTicks ?? 0) - cpuBefore) * 10
  const isBlocked = (): boolean => monotonicMs() - askedAt >= reportMs && usedMs() >= reportMs / 4
  const answer = await pollUntil(
    () => {
      const name = readdirSync(reportDir).find((file) => file.startsWith('report.') && !before.has(file))
      const report = name === undefined ? undefined : parseReport(join(reportDir, name))
      return report ?? (isBlocked() ? 'blocked' : undefined)
    },
    { timeoutMs: starvedReportMs },
  )
  if (answer !== undefined && answer !== 'blocked') return describeReport(answer)
  const waitedS = Math.floor((monotonicMs() - askedAt) / 100) / 10
  return `event loop blocked ≥ ${waitedS} s (${usedMs()} ms of CPU time used meanwhile)`
}

interface NodeReport {
  readonly javascriptStack?: { readonly message?: string; readonly stack?: readonly string[] }
  readonly libuv?: readonly {
    readonly type: string
    readonly is_active?: boolean
    readonly localEndpoint?: { host: string; port: number } | null
  }[]
}

function parseReport(path: string): NodeReport | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as NodeReport
  } catch (error) {
    // The file is there before it is complete.
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

function describeReport(report: NodeReport): string {
  const handles = (report.libuv ?? [])
    .filter((handle) => handle.is_active === true)
    .map(({ type, localEndpoint }) => (localEndpoint ? `${type} ${localEndpoint.host}:${localEndpoint.port}` : type))
  const stack = [report.javascriptStack?.message, ...(report.javascriptStack?.stack ?? [])].filter(
    (line) => line !== undefined,
  )
  return `event loop turns; active handles: ${handles.join(', ') || 'none'}\n${stack.join('\n')}`
}

const reportSignalNumber = 12

function catchesReportSignal(pid: number): boolean {
  const mask = /^SigCgt:\s*([0-9a-f]+)/m.exec(readQuietly(`/proc/${pid}/status`) ?? '')?.[1]
  return mask !== undefined && (BigInt(`0x${mask}`) & (1n << BigInt(reportSignalNumber - 1))) !== 0n
}

/** System calls for 500 ms, only on demand; `timeout` ends the tracer whatever happens, and tracers detach when they end. */
async function trace(pid: number): Promise<string | undefined> {
  if (process.env['MAINSTAY_TESTKIT_TRACE'] !== '1' || findExecutable('strace') === undefined) return undefined
  const { stderr } = await runProgram(['timeout', '-s', 'INT', '0.5', 'strace', '-f', '-p', String(pid)], {
    expectExitCode: 'any',
    timeoutMs: 1500,
  })
  return stderr
}

function readQuietly(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    // Whatever the kernel does not show us is left out of the findings.
    return undefined
  }
}
