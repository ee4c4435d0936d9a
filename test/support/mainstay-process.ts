import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

import { waitUntil } from '../real/lab/wait-until.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const BIN = fileURLToPath(new URL('../../packages/mainstay/bin/mainstay.mjs', import.meta.url))

export interface MainstayOptions {
  readonly env?: Readonly<Record<string, string>>
  /** Modules that are loaded before the program. */
  readonly imports?: readonly string[]
}

export interface Ended {
  /** Null when a signal ended it. */
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A real `mainstay` in a process of its own. */
export class MainstayProcess implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #ended: Promise<unknown>
  stdout = ''
  stderr = ''

  constructor(args: readonly string[], { env = {}, imports = [] }: MainstayOptions = {}) {
    const loaded = imports.flatMap((module) => ['--import', module])
    this.#child = spawn(process.execPath, [...loaded, BIN, ...args], {
      cwd: ROOT,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    })
    this.#ended = once(this.#child, 'close')
    this.#child.stdout!.setEncoding('utf8').on('data', (text: string) => (this.stdout += text))
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => (this.stderr += text))
  }

  /** What it printed, standard output first. */
  get output(): string {
    return this.stdout + this.stderr
  }

  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Settles when it has ended and all that it printed is read. */
  async ended(): Promise<Ended> {
    await this.#ended
    return { code: this.#child.exitCode, stdout: this.stdout, stderr: this.stderr }
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name)
  }

  /** Waits until its output matches. Throws when it ends before. */
  async untilPrinted(pattern: RegExp, timeoutMs = 30_000): Promise<RegExpExecArray> {
    const what = `${String(pattern)} from mainstay`
    const seen = await waitUntil(() => pattern.exec(this.output) ?? (this.alive ? undefined : 'ended'), {
      timeoutMs,
      what,
    })
    if (seen !== 'ended') return seen
    await this.#ended
    const late = pattern.exec(this.output)
    if (late === null) throw new Error(`mainstay ended before it printed ${String(pattern)}:\n${this.output}`)
    return late
  }

  /** Ends it without a warning. Safe to repeat. */
  async kill(): Promise<void> {
    if (this.alive) this.signal('SIGKILL')
    await this.#ended
  }

  /** Ends it as an operator would. */
  async stop(): Promise<Ended> {
    if (this.alive) this.signal('SIGTERM')
    return await this.ended()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }
}

/** Runs a command of the program to its end, which must come within `timeoutMs`. */
export async function runMainstay(
  args: readonly string[],
  { timeoutMs = 60_000, ...options }: MainstayOptions & { readonly timeoutMs?: number } = {},
): Promise<Ended> {
  await using command = new MainstayProcess(args, options)
  await waitUntil(() => !command.alive, { timeoutMs, what: `the end of "mainstay ${args.join(' ')}"` })
  return await command.ended()
}
