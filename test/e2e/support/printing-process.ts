import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'

const PROGRAM = fileURLToPath(new URL('../../../packages/mainstay/bin/mainstay.mjs', import.meta.url))

/** A program that prints lines until it is killed: our own, or any other. */
export class PrintingProcess implements AsyncDisposable {
  readonly lines: string[] = []
  errors = ''
  readonly #child: ChildProcessByStdio<null, Readable, Readable>
  readonly #ended: Promise<unknown>

  private constructor(program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.#child = spawn(program, [...args], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } })
    this.#ended = once(this.#child, 'close')
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.lines.push(line))
    this.#child.stderr.on('data', (chunk: Buffer) => (this.errors += chunk.toString('utf8')))
  }

  static program(
    program: string,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): PrintingProcess {
    return new PrintingProcess(program, args, env)
  }

  /** `mainstay …` as a user starts it. */
  static mainstay(args: readonly string[]): PrintingProcess {
    return new PrintingProcess(process.execPath, [PROGRAM, ...args])
  }

  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** Ends it as a user does. @returns its exit code */
  async interrupt(): Promise<number | null> {
    this.#child.kill('SIGINT')
    await this.#ended
    return this.#child.exitCode
  }

  /** Ends it without a warning. Safe to repeat. */
  async kill(): Promise<void> {
    if (this.alive) this.#child.kill('SIGKILL')
    await this.#ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }
}
