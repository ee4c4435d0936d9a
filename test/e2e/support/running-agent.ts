import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { waitUntil } from '../../real/lab/wait-until.ts'

const PROGRAM = fileURLToPath(new URL('agent-process.ts', import.meta.url))

/** A real agent in a process of its own, whose monitor sees what the test dictates. */
export class AgentProcess {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #ended: Promise<unknown>
  /** Lines of its standard output. */
  readonly lines: string[] = []
  log = ''

  /** Starts one on this configuration file; it is killed after the test at the latest. */
  constructor(configFile: string) {
    this.#child = spawn(process.execPath, [PROGRAM, configFile], { stdio: ['pipe', 'pipe', 'pipe'] })
    this.#ended = once(this.#child, 'close')
    this.#child.stdin.on('error', () => undefined) // it was killed while we dictated
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.lines.push(line))
    this.#child.stderr.on('data', (chunk: Buffer) => (this.log += chunk.toString()))
    onTestFinished(async () => await this.kill())
  }

  async untilReady(): Promise<void> {
    await this.untilLine('ready')
  }

  /** Waits until it has printed the line, or has given up with a reason in its log. */
  async untilLine(line: string): Promise<void> {
    const seen = (): boolean => this.lines.includes(line) || this.log.includes('"level":60')
    await waitUntil(seen, { timeoutMs: 20_000, what: `"${line}" from an agent` })
  }

  /** Lets its monitor see something. */
  see(uuid: string, virDomainEvent: string): void {
    this.#child.stdin.write(`${uuid} ${virDomainEvent}\n`)
  }

  /** What it said it had accepted, as `uuid virDomainEvent`. */
  get accepted(): { fact: string; id: string }[] {
    return this.lines.flatMap((line) => {
      const [word, uuid, event, id = ''] = line.split(' ')
      return word === 'accepted' ? [{ fact: `${uuid} ${event}`, id }] : []
    })
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name)
  }

  /** Kills it without a warning and waits until all that it wrote is read. Safe to repeat. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
  }

  /** Waits for its end and returns its exit code. */
  async exitCode(): Promise<number | null> {
    await this.#ended
    return this.#child.exitCode
  }
}
