import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { existsSync } from 'node:fs'

import { SystemClock } from './clock.ts'
import { MainstayError, TimeoutError, errorCode, errorMessage } from './errors.ts'

/** A program that should be run is not installed. */
export class CommandNotFoundError extends MainstayError {
  readonly code = 'MS_COMMAND_NOT_FOUND'
  readonly status = 500
  readonly retryable = false
}

/** A program could not be started or printed more than is allowed. Its arguments are not told: they may hold secrets. */
export class CommandFailedError extends MainstayError {
  readonly code = 'MS_COMMAND_FAILED'
  readonly status = 500
  readonly retryable = true
}

export interface CommandOptions {
  /** After this the whole process group gets SIGKILL. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  /** Written to standard input, which is closed at once otherwise. */
  readonly input?: string
  /** Added to the environment of this process. `LC_ALL` is `C` whatever is given. */
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** The most that standard output and standard error may hold together, in bytes. */
  readonly maxOutputBytes?: number
}

export interface CommandResult {
  readonly exitCode: number | null
  readonly killedBy: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

const DEFAULT_MAX_OUTPUT_BYTES = 8 * 1024 * 1024

const CLOSED_INPUT = new Set(['EPIPE', 'ECONNRESET'])

/** How long a killed program is waited for. One in a dead disk's hands, or a child that left the group, may linger. */
const KILL_GRACE_MS = 1000

/**
 * Runs a program with fixed arguments, without a shell, in a process group of its own.
 *
 *   running ──ends and closes its output──▶ settled with the result
 *      └──late, aborted, prints too much──▶ killed ──ends, or the grace is over──▶ settled with the reason
 *
 * Invariant: it settles at the latest a moment after `timeoutMs`, whatever the program and its children do.
 *
 * An exit code other than 0 is a result, not an error: whoever asked knows what the program's codes mean.
 *
 * Source: monitors.md DL-5.
 *
 * @throws CommandNotFoundError, CommandFailedError, TimeoutError, or the signal's reason
 */
export async function runCommand(
  argv: readonly [string, ...string[]],
  options: CommandOptions,
): Promise<CommandResult> {
  const { timeoutMs, signal, input, env, cwd, maxOutputBytes = DEFAULT_MAX_OUTPUT_BYTES } = options
  signal?.throwIfAborted()
  const [program, ...args] = argv
  const child = start(program, args, { cwd, env: { ...process.env, ...env, LC_ALL: 'C' } })
  const done = Promise.withResolvers<CommandResult>()
  const clock = new SystemClock()
  let failure: { readonly reason: unknown } | undefined
  let grace: Disposable | undefined
  const killGroup = (reason: unknown): void => {
    failure ??= { reason }
    grace ??= clock.after(KILL_GRACE_MS, () => {
      for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy()
      child.unref()
      done.reject(reason)
    })
    signalGroup(child.pid, 'SIGKILL')
  }
  using _timer = clock.after(timeoutMs, () => killGroup(new TimeoutError(`The program ${program}`, timeoutMs)))
  const onAbort = (): void => killGroup(signal?.reason)
  signal?.addEventListener('abort', onAbort, { once: true })

  const output = { stdout: [] as Buffer[], stderr: [] as Buffer[] }
  let bytes = 0
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes <= maxOutputBytes) output[name].push(chunk)
      else killGroup(new CommandFailedError(`The program ${program} printed more than ${maxOutputBytes} bytes.`))
    })
  }
  child.on('error', (error) => done.reject(startError(program, cwd, error)))
  child.on('close', (exitCode, killedBy) => {
    if (failure !== undefined) done.reject(failure.reason)
    else {
      const text = (chunks: Buffer[]): string => Buffer.concat(chunks).toString('utf8')
      done.resolve({ exitCode, killedBy, stdout: text(output.stdout), stderr: text(output.stderr) })
    }
  })
  // A program that closes its input early is no failure of ours: its exit code tells.
  child.stdin.on('error', (error) => {
    if (!CLOSED_INPUT.has(errorCode(error) ?? '')) killGroup(error)
  })
  child.stdin.end(input)
  try {
    return await done.promise
  } finally {
    grace?.[Symbol.dispose]()
    signal?.removeEventListener('abort', onAbort)
  }
}

/** Sends a signal to a process group. @returns false when it is gone already, or belongs to another user */
export function signalGroup(pid: number | undefined, name: NodeJS.Signals): boolean {
  if (pid === undefined) return false
  try {
    return process.kill(-pid, name)
  } catch (error) {
    if (errorCode(error) === 'ESRCH' || errorCode(error) === 'EPERM') return false
    throw error
  }
}

/** @throws CommandFailedError for what the operating system refuses at once: arguments too long, a NUL in them */
function start(
  program: string,
  args: readonly string[],
  { cwd, env }: { cwd: string | undefined; env: NodeJS.ProcessEnv },
): ChildProcessWithoutNullStreams {
  try {
    return spawn(program, args, { cwd, env, detached: true, stdio: 'pipe' })
  } catch (error) {
    throw startError(program, cwd, error)
  }
}

function startError(program: string, cwd: string | undefined, error: unknown): MainstayError {
  if (errorCode(error) === 'ENOENT') {
    if (cwd !== undefined && !existsSync(cwd)) {
      return new CommandFailedError(`The program ${program} could not be started: there is no directory ${cwd}.`, {
        cause: error,
      })
    }
    return new CommandNotFoundError(`The program ${program} is not installed or not on PATH.`, { cause: error })
  }
  return new CommandFailedError(`The program ${program} could not be started: ${errorMessage(error)}`, { cause: error })
}
