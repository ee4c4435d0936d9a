import { spawn } from 'node:child_process'
import { TestkitError } from '../errors.ts'
import { requireProgram } from './executable.ts'

/** How a helper program is run. */
export interface RunOptions {
  readonly env?: Readonly<Record<string, string | undefined>>
  readonly cwd?: string
  readonly user?: { readonly uid: number; readonly gid: number }
  readonly input?: string | Buffer
  /** Default 60 s; after it the program is killed. */
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

/**
 * Runs a program to its end, without a shell.
 *
 * @throws TestkitError TK_CANNOT_EXECUTE when it cannot be started, TK_EXEC_FAILED with command, code, STDOUT, STDERR and
 * CONTEXT when its exit code is not the expected one or the time is up. Source: testkit.md A1.2 `execute`.
 */
export async function runProgram(command: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const [program = '', ...args] = command
  const env = options.env ?? process.env
  const path = requireProgram(program, { searchPath: env['PATH'] ?? process.env['PATH'] })
  const startedAt = performance.now()
  const timeoutMs = options.timeoutMs ?? 60_000
  const child = spawn(path, args, {
    env: { ...env },
    cwd: options.cwd,
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
    ...options.user,
  })
  const out: Buffer[] = []
  const err: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
  // A program may end without reading its input; its exit code tells the story.
  child.stdin.on('error', () => undefined)
  child.stdin.end(options.input)
  const { code, signal } = await new Promise<{ code: number | null; signal: NodeJS.Signals | null }>(
    (resolve, reject) => {
      child.once('error', (cause) =>
        reject(new TestkitError('TK_CANNOT_EXECUTE', `cannot execute ${path}: ${cause.message}`, { cause })),
      )
      child.once('close', (exitCode, exitSignal) => resolve({ code: exitCode, signal: exitSignal }))
    },
  )
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
