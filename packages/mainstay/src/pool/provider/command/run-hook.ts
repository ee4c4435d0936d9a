import { spawn, type ChildProcess } from 'node:child_process'
import type { Readable, Writable } from 'node:stream'

import { SystemClock, type Clock } from '../../../core/clock.ts'
import { wholeMs } from '../../../core/format-duration.ts'
import { signalGroup } from '../../../core/child-process.ts'
import { MainstayError, errorCode, errorMessage } from '../../../core/errors.ts'
import { canRun } from './find-program.ts'
import { GroupKeeper } from './group-keeper.ts'
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

/** The signal to begin comes through a pipe of its own, which the hook itself does not get. */
type HookProcess = ChildProcess & { readonly stdio: readonly [null, Readable, Readable, Writable, ...unknown[]] }

/** A process waits for the signal to begin and becomes the hook then; when this process dies before, it just ends. */
const GATE = 'read -r _ <&3 && exec "$@" 3<&-'

const keeper = new GroupKeeper()

/**
 * Runs a hook to its end, whatever it does, and leaves nothing of it behind.
 *
 *   gated ──the keeper watches the group──▶ running
 *   running ──ends──▶ flushing ──outputs closed, or 1 s──▶ group killed ──▶ settled
 *      └──late, aborted──▶ told (SIGTERM) ──ends, or the grace is over──▶ group killed (SIGKILL) ──ends, or 1 s──▶ settled
 *      └──prints too much──────────────────────────────────▶ group killed
 *
 * Invariant: it settles at most `killGraceMs` and a moment after `timeoutMs`, and by then no process of its group runs
 * but one that the kernel cannot end. When this process dies meanwhile, however that may be, its keeper ends the group.
 *
 * Source: vm-pool.md A8; monitors.md DL-5.
 *
 * @throws HookFailedError, or the signal's reason
 */
export async function runHook(command: HookCommand, options: HookOptions): Promise<HookOutcome> {
  const { signal, timeoutMs, killGraceMs, wholeOutputBytes, clock = new SystemClock() } = options
  await mustExist(command, options)
  signal.throwIfAborted()
  const child = start(command, options)
  const [, outputStream, errorStream] = child.stdio
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

  outputStream.on('data', (chunk: Buffer) => {
    both.push(chunk)
    stdout.push(chunk)
    stdoutBytes += chunk.length
    if (wholeOutputBytes === undefined || stdoutBytes <= wholeOutputBytes || stopped !== undefined) return
    stopped = 'too_much_output'
    kill()
  })
  errorStream.on('data', (chunk: Buffer) => both.push(chunk))
  child.on('error', (error) => ended.reject(startError(command, options, error)))
  child.on('exit', (exitCode, killedBy) => ended.resolve({ exitCode, killedBy }))
  child.on('close', () => closed.resolve())
  const begun = begin(child).catch((error: unknown) => ended.reject(startError(command, options, error)))

  const { exitCode, killedBy } = await ended.promise
  if (stopped !== undefined) signalGroup(child.pid, 'SIGKILL')
  timers.use(clock.after(FLUSH_MS, closed.resolve))
  await closed.promise
  // Children that the hook left, whether or not they hold its outputs.
  signalGroup(child.pid, 'SIGKILL')
  for (const stream of [outputStream, errorStream]) stream.destroy()
  child.unref()
  await begun
  if (child.pid !== undefined) keeper.forget(child.pid)

  const output = both.text()
  const failed = (why: HookFailure, text: string): HookFailedError =>
    new HookFailedError(`The ${options.name} hook ${command[0]} ${text}`, { why, output, exitCode })
  const printed = `It printed: ${excerpt(output)}`
  if (stopped === 'aborted') throw signal.reason
  if (stopped === 'timeout') throw failed(stopped, `took longer than ${wholeMs(timeoutMs)} and was ended. ${printed}`)
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
    const child = spawn('/bin/sh', ['-c', GATE, 'hook', program, ...args], {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    }) as unknown as HookProcess
    const streams: HookProcess['stdio'] | undefined = child.stdio
    if (streams !== undefined) return child
    // Of what is told by an event, too many open files leave no streams to listen to.
    child.on('error', () => {})
    throw new Error('this process has too many files open')
  } catch (error) {
    throw startError(command, options, error)
  }
}

/** Lets the hook begin, now that it would not survive this process. */
async function begin({ pid, stdio: [, , , gate] }: HookProcess): Promise<void> {
  // A process that is gone already has closed its end.
  gate.on('error', () => {})
  try {
    if (pid === undefined) return
    await keeper.watch(pid)
    await new Promise<void>((resolve) => void gate.write('\n', () => resolve()))
  } finally {
    gate.destroy()
  }
}

/** The process that waits for the signal to begin exists always, so it is not told by its start. @throws HookFailedError */
async function mustExist(command: HookCommand, options: HookOptions): Promise<void> {
  const [program] = contained(command, options.containment ?? 'group')
  const path = { ...process.env, ...options.env }['PATH']
  try {
    if (await canRun(program, { cwd: options.cwd, path })) return
  } catch (error) {
    throw startError(command, options, error)
  }
  throw missing(command, options)
}

function contained(command: HookCommand, containment: HookContainment): HookCommand {
  if (containment === 'group') return command
  return ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc', '--', ...command]
}

function startError(command: HookCommand, options: HookOptions, cause: unknown): HookFailedError {
  if (errorCode(cause) === 'ENOENT' || errorCode(cause) === 'EACCES') return missing(command, options, cause)
  const text = `could not be started${placeOf(options)}: ${errorMessage(cause)}`
  return new HookFailedError(`The ${options.name} hook ${command[0]} ${text}`, { why: 'not_started', cause })
}

function missing([program]: HookCommand, options: HookOptions, cause?: unknown): HookFailedError {
  const text = `does not exist or may not be executed${placeOf(options)}. Check its path and permissions.`
  return new HookFailedError(`The ${options.name} hook ${program} ${text}`, { why: 'missing', cause })
}

function placeOf({ cwd }: HookOptions): string {
  return cwd === undefined ? '' : ` in ${cwd}`
}
