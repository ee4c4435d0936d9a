import { spawn, type ChildProcessByStdio } from 'node:child_process'
import type { Readable } from 'node:stream'

import { SystemClock, type Clock } from '../../../core/clock.ts'
import { signalGroup } from '../../../core/child-process.ts'
import { MainstayError, errorCode, errorMessage } from '../../../core/errors.ts'
import { KeptOutput } from './kept-output.ts'

/** A hook could not be started, took too long, printed too much or ended with another status than 0. */
export class HookFailedError extends MainstayError {
  readonly code = 'MS_HOOK_FAILED'
  readonly status = 502
  readonly retryable = true
  readonly why: HookFailure
  /** Both outputs in the order in which they came, the middle of long ones left out. */
  readonly output: string
  readonly exitCode: number | null

  constructor(
    message: string,
    {
      why,
      output = '',
      exitCode = null,
      cause,
    }: { why: HookFailure; output?: string; exitCode?: number | null; cause?: unknown },
  ) {
    super(message, { cause })
    this.why = why
    this.output = output
    this.exitCode = exitCode
  }
}

export type HookFailure = 'missing' | 'not_started' | 'timeout' | 'too_much_output' | 'status' | 'signal'

/** A program and its arguments; no shell reads them. */
export type HookCommand = readonly [program: string, ...args: string[]]

/**
 * What is around a hook.
 *
 * - `group`: a process group of its own, killed when the hook ends. What leaves the group on purpose (`setsid`) lives on.
 * - `namespace`: also a process namespace of its own, which ends with it: nothing lives on. Needs root and `unshare`.
 */
export type HookContainment = 'group' | 'namespace'

export interface HookOptions {
  /** Named in errors: `create`, `list`, … */
  readonly name: string
  /** After this the hook is told to end. */
  readonly timeoutMs: number
  /** How long it has to clean up between SIGTERM and SIGKILL. */
  readonly killGraceMs: number
  readonly signal: AbortSignal
  readonly env: Readonly<Record<string, string>>
  readonly cwd?: string | undefined
  readonly containment?: HookContainment
  /** For the time limits; the machine's own unless given. */
  readonly clock?: Clock
  /** Standard output is then kept whole, and a hook that prints more is killed. */
  readonly wholeOutputBytes?: number
}

export interface HookOutcome {
  readonly exitCode: number
  /** Both outputs in the order in which they came, the middle of long ones left out. */
  readonly output: string
  /** Standard output alone; whole if `wholeOutputBytes` was given. */
  readonly stdout: string
}

/** Source: vm-pool.md A8, hook contract. */
const KEPT_BYTES = 64 * 1024

/** How long outputs may stay open after the hook itself ended: a child of its may still be flushing. */
const FLUSH_MS = 1_000

/** How long a killed group is waited for. */
const KILLED_MS = 1_000

type HookProcess = ChildProcessByStdio<null, Readable, Readable>

/**
 * Runs a hook to its end, whatever it does, and leaves nothing of it behind.
 *
 *   running ──ends──▶ flushing ──outputs closed, or 1 s──▶ group killed ──▶ settled
 *      └──late, aborted──▶ told (SIGTERM) ──ends, or the grace is over──▶ group killed (SIGKILL) ──ends, or 1 s──▶ settled
 *      └──prints too much──────────────────────────────────▶ group killed
 *
 * Invariant: it settles at most `killGraceMs` and a moment after `timeoutMs`, and by then no process of its group runs
 * but one that the kernel cannot end.
 *
 * Source: vm-pool.md A8; monitors.md DL-5.
 *
 * @throws HookFailedError, or the signal's reason
 */
export async function runHook(command: HookCommand, options: HookOptions): Promise<HookOutcome> {
  const { signal, timeoutMs, killGraceMs, wholeOutputBytes, clock = new SystemClock() } = options
  signal.throwIfAborted()
  const child = start(command, options)
  const both = new KeptOutput(KEPT_BYTES)
  const stdout = new KeptOutput(wholeOutputBytes === undefined ? KEPT_BYTES : 2 * wholeOutputBytes)
  const ended = Promise.withResolvers<{ exitCode: number | null; killedBy: NodeJS.Signals | null }>()
  const closed = Promise.withResolvers<void>()
  let stopped: 'timeout' | 'too_much_output' | 'aborted' | undefined
  let stdoutBytes = 0
  using timers = new DisposableStack()

  const kill = (): void => {
    signalGroup(child.pid, 'SIGKILL')
    timers.use(clock.after(KILLED_MS, () => ended.resolve({ exitCode: null, killedBy: 'SIGKILL' })))
  }
  const stop = (why: 'timeout' | 'aborted'): void => {
    if (stopped !== undefined) return
    stopped = why
    signalGroup(child.pid, 'SIGTERM')
    timers.use(clock.after(killGraceMs, kill))
  }
  timers.use(clock.after(timeoutMs, () => stop('timeout')))
  const onAbort = (): void => stop('aborted')
  signal.addEventListener('abort', onAbort, { once: true })
  timers.defer(() => signal.removeEventListener('abort', onAbort))

  child.stdout.on('data', (chunk: Buffer) => {
    both.push(chunk)
    stdout.push(chunk)
    stdoutBytes += chunk.length
    if (wholeOutputBytes === undefined || stdoutBytes <= wholeOutputBytes || stopped !== undefined) return
    stopped = 'too_much_output'
    kill()
  })
  child.stderr.on('data', (chunk: Buffer) => both.push(chunk))
  child.on('error', (error) => ended.reject(startError(command, options, error)))
  child.on('exit', (exitCode, killedBy) => ended.resolve({ exitCode, killedBy }))
  child.on('close', () => closed.resolve())

  const { exitCode, killedBy } = await ended.promise
  if (stopped !== undefined) signalGroup(child.pid, 'SIGKILL')
  timers.use(clock.after(FLUSH_MS, closed.resolve))
  await closed.promise
  // Children that the hook left, whether or not they hold its outputs.
  signalGroup(child.pid, 'SIGKILL')
  for (const stream of [child.stdout, child.stderr]) stream.destroy()
  child.unref()

  const output = both.text()
  const failed = (why: HookFailure, text: string): HookFailedError =>
    new HookFailedError(`The ${options.name} hook ${command[0]} ${text}`, { why, output, exitCode })
  const printed = `It printed: ${excerpt(output)}`
  if (stopped === 'aborted') throw signal.reason
  if (stopped === 'timeout') throw failed(stopped, `took longer than ${timeoutMs} ms and was ended. ${printed}`)
  if (stopped === 'too_much_output')
    throw failed(stopped, `printed more than ${wholeOutputBytes} bytes and was killed.`)
  if (killedBy !== null) throw failed('signal', `was killed by ${killedBy}. ${printed}`)
  if (exitCode !== 0) throw failed('status', `ended with status ${exitCode}. ${printed}`)
  return { exitCode, output, stdout: stdout.text() }
}

/** What stands in an error's text; the whole is in its `output`. */
const EXCERPT_CHARACTERS = 500

export function excerpt(output: string): string {
  const text = output.trim()
  if (text === '') return '(nothing)'
  return text.length > EXCERPT_CHARACTERS ? `…${text.slice(-EXCERPT_CHARACTERS)}` : text
}

/** @throws HookFailedError for what the operating system refuses at once: arguments too long, a NUL in them */
function start(command: HookCommand, options: HookOptions): HookProcess {
  const [program, ...args] = contained(command, options.containment ?? 'group')
  try {
    return spawn(program, args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  } catch (error) {
    throw startError(command, options, error)
  }
}

function contained(command: HookCommand, containment: HookContainment): HookCommand {
  if (containment === 'group') return command
  return ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc', '--', ...command]
}

function startError([program]: HookCommand, { name, cwd }: HookOptions, cause: unknown): HookFailedError {
  const missing = errorCode(cause) === 'ENOENT' || errorCode(cause) === 'EACCES'
  const where = cwd === undefined ? '' : ` in ${cwd}`
  const what = missing
    ? `does not exist or may not be executed${where}. Check its path and permissions.`
    : `could not be started${where}: ${errorMessage(cause)}`
  return new HookFailedError(`The ${name} hook ${program} ${what}`, {
    why: missing ? 'missing' : 'not_started',
    cause,
  })
}
