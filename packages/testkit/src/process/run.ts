import { spawn, type ChildProcess } from 'node:child_process'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { pollUntil } from '../clock.ts'
import { TestkitError } from '../errors.ts'
import { withoutHandover } from './environment.ts'
import { requireFolder, requireProgram } from './executable.ts'
import { withOwnerMarker } from './owner-marker.ts'
import { sendSignal } from './process-table.ts'

/** How a helper program is run. */
export interface RunOptions {
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly cwd?: string
  readonly user?: { readonly uid: number; readonly gid: number }
  readonly input?: string | Buffer
  /** Default 60 s; after it the program is killed, with everything in its process group. */
  readonly timeoutMs?: number
  /** What the program is run for; part of the error. */
  readonly context?: string
  /** Exit codes that are fine. Default [0]. `'any'` accepts every one. */
  readonly expectExitCode?: readonly number[] | 'any'
}

export interface RunResult {
  readonly exitCode: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  readonly durationMs: number
}

/** How long the pipes are read after the program's end: a process that it left behind may hold them for ever. */
const pipesLimitMs = 500

/**
 * Runs a program to its end, without a shell, as the leader of a process group of its own.
 *
 * @throws TestkitError TK_CANNOT_EXECUTE when it cannot be started, TK_EXEC_FAILED with command, code, STDOUT, STDERR and
 * CONTEXT when its exit code is not the expected one or the time is up. Source: testkit.md A1.2 `execute`.
 */
export async function runProgram(command: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const [program = '', ...args] = command
  const env = withoutHandover(options.env ?? process.env)
  const path = requireProgram(program, { searchPath: env['PATH'] ?? process.env['PATH'] })
  if (options.cwd !== undefined) requireFolder(path, options.cwd)
  const startedAt = performance.now()
  const timeoutMs = options.timeoutMs ?? 60_000
  const child = spawn(path, args, {
    env: withOwnerMarker(env),
    cwd: options.cwd,
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
    ...options.user,
  })
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
  // A program may end without reading its input; its exit code tells the story.
  child.stdin.on('error', () => undefined)
  child.stdin.end(options.input)
  const late = setTimeout(() => killGroup(child), timeoutMs)
  const { code, signal } = await endOf(child, path).finally(() => clearTimeout(late))
  const result: RunResult = {
    exitCode: code,
    signal,
    stdout: Buffer.concat(out).toString(),
    stderr: Buffer.concat(err).toString(),
    durationMs: performance.now() - startedAt,
  }
  const expected = options.expectExitCode ?? [0]
  if (expected === 'any' || (code !== null && expected.includes(code))) return result
  throw new TestkitError(
    'TK_EXEC_FAILED',
    `${command.join(' ')} ended with ${signal ?? `exit code ${code}`} after ${Math.round(result.durationMs)} ms, expected ${expected.join(' or ')}.`,
    { details: `STDOUT\n${result.stdout}\nSTDERR\n${result.stderr}\nCONTEXT\n${options.context ?? '-'}` },
  )
}

/** How it ended, when also its output has been read. Throws TK_CANNOT_EXECUTE. */
async function endOf(
  child: ChildProcess,
  path: string,
): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  let closed = false
  child.once('close', () => {
    closed = true
  })
  const end = await new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve, reject) => {
    child.once('error', (cause) =>
      reject(new TestkitError('TK_CANNOT_EXECUTE', `cannot execute ${path}: ${cause.message}`, { cause })),
    )
    child.once('exit', (code, signal) => resolve({ code, signal }))
  })
  // A starved loop sees its timers before its pipes: each look comes after a turn that has read them.
  const isClosed = async (): Promise<boolean> => {
    await nextTurn()
    return closed
  }
  await pollUntil(isClosed, { timeoutMs: pipesLimitMs, intervalMs: 2 })
  for (const pipe of child.stdio) pipe?.destroy()
  return end
}

/** While the leader has not been waited for, nobody else can have its number. */
function killGroup(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  sendSignal(-child.pid, 'SIGKILL')
}
