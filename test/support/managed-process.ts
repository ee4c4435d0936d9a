import { Cluster, type ManagedServer, type ServerSpec, type StartOptions } from '@mainstay/testkit'

import { waitUntil } from '../real/lab/wait-until.ts'

export interface Ended {
  /** Null when a signal ended it. */
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Long, because a loaded machine is no reason to use force. */
const STOP = { graceMs: 60_000, killAfterMs: 70_000, deadlineMs: 80_000 }

/** One program in a process of its own, by the test kit: killed when it is disposed, and when the tests are killed. */
export class ManagedProcess implements AsyncDisposable {
  readonly server: ManagedServer
  readonly #cluster: Cluster

  /** @param cluster of one server, which was started */
  constructor(cluster: Cluster) {
    this.#cluster = cluster
    this.server = cluster.servers[0]!
  }

  /** What it printed on one stream, as lines. */
  lines(stream: 'stdout' | 'stderr' = 'stdout'): string[] {
    return this.server
      .logs()
      .filter((line) => line.stream === stream)
      .map(({ text }) => text)
  }

  /** What it printed on both streams, in the order of its arrival. */
  printed(): string {
    const lines = this.server.logs().filter(({ stream }) => stream !== 'harness')
    return lines.map(({ text }) => `${text}\n`).join('')
  }

  get alive(): boolean {
    return this.server.pid !== undefined
  }

  signal(name: NodeJS.Signals): void {
    const { pid } = this.server
    if (pid !== undefined) process.kill(pid, name)
  }

  /** Waits for a line. Throws when it ends before. */
  async untilPrinted(pattern: RegExp, timeoutMs = 30_000): Promise<RegExpExecArray> {
    const what = `${String(pattern)} from ${this.server.name}`
    const look = (): RegExpExecArray | undefined => pattern.exec(this.printed()) ?? undefined
    const seen = await waitUntil(() => look() ?? (this.alive ? undefined : 'ended'), { timeoutMs, what })
    const line = seen === 'ended' ? look() : seen
    if (line === undefined) {
      throw new Error(`${this.server.name} ended before it printed ${String(pattern)}:\n${this.printed()}`)
    }
    return line
  }

  /** Settles when it has ended and all that it printed is read. */
  async ended(): Promise<Ended> {
    const { code } = await this.server.exit
    const [stdout = '', stderr = ''] = (['stdout', 'stderr'] as const).map((stream) =>
      this.lines(stream)
        .map((line) => `${line}\n`)
        .join(''),
    )
    return { code, stdout, stderr }
  }

  /** Ends it as an operator would. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Ended> {
    await this.server.stop({ ...STOP, signal })
    const ended = await this.ended()
    await this.#cluster.dispose()
    return ended
  }

  /** Ends it without a warning, and everything that it started. Safe to repeat. */
  async kill(): Promise<void> {
    if (this.alive) await this.server.kill()
    await this.#cluster.dispose()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }
}

/** Starts a server in a process of its own and waits until it is ready. */
export async function startAlone(spec: ServerSpec, options: StartOptions = {}): Promise<Cluster> {
  const cluster = await Cluster.create({ name: spec.name, mode: 'process', servers: [spec] })
  try {
    await cluster.start(spec.name, {}, options)
    return cluster
  } catch (error) {
    await cluster.dispose({ failed: true })
    throw error
  }
}

/** Starts a program that is no server: it need not become ready. */
export async function startProgram(
  command: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<ManagedProcess> {
  return new ManagedProcess(await startAlone({ ...programSpec('program', command), env }))
}

/** A program that is no server, as part of a cluster: it sees the variables of the tests. */
export function programSpec(name: string, command: readonly string[]): ServerSpec {
  return {
    name,
    // By a function, because a percent sign means nothing in it.
    command: () => command,
    inheritEnv: true,
    diagnosticReport: false,
  }
}
