import { Cluster, type ManagedServer } from '@mainstay/testkit'
import { serveSpec } from 'mainstay/testkit'

import type { Ended } from './mainstay-process.ts'
import { ServeClient } from './serve-client.ts'

export interface ServeOptions {
  /** Stays when the server is gone. */
  readonly dataDir: string
  /** `section.key=value`. */
  readonly set?: readonly string[]
  /** A configuration in TOML. */
  readonly config?: string
  readonly compute?: 'simulated' | 'libvirt'
  /** `127.0.0.1:port`; default: any free port. */
  readonly listen?: string
  readonly env?: Readonly<Record<string, string>>
  /** Modules that are loaded before the program. */
  readonly imports?: readonly string[]
  readonly timeoutMs?: number
}

/** A real `mainstay serve` in a process of its own, which is killed when it is disposed, and with the tests. */
export class ServeProcess implements AsyncDisposable {
  readonly #cluster: Cluster
  readonly #server: ManagedServer

  private constructor(cluster: Cluster) {
    this.#cluster = cluster
    this.#server = cluster.get('mainstay')
  }

  /** Starts one and waits until it serves. */
  static async start({ timeoutMs = 30_000, ...options }: ServeOptions): Promise<ServeProcess> {
    const { dataDir, config, compute, listen, set = [], env = {}, imports = [] } = options
    const spec = serveSpec({
      dataDir,
      env,
      nodeArguments: imports.flatMap((module) => ['--import', module]),
      set: [...(compute === undefined ? [] : [`compute.driver=${compute}`]), ...set],
      ...(config === undefined ? {} : { configFile: config }),
      ...(listen === undefined ? {} : { port: Number(new URL(`http://${listen}`).port) }),
    })
    const cluster = await Cluster.create({ name: 'serve', mode: 'process', servers: [spec] })
    try {
      await cluster.start('mainstay', {}, { timeoutMs })
      return new ServeProcess(cluster)
    } catch (error) {
      await cluster.dispose({ failed: true })
      throw error
    }
  }

  get url(): string {
    return this.#server.url
  }

  get client(): ServeClient {
    return new ServeClient(this.url)
  }

  get alive(): boolean {
    return this.#server.pid !== undefined
  }

  signal(name: NodeJS.Signals): void {
    const { pid } = this.#server
    if (pid !== undefined) process.kill(pid, name)
  }

  /** What it printed so far. */
  printed(): string {
    return this.#server
      .logs()
      .map(({ text }) => `${text}\n`)
      .join('')
  }

  /** Settles when it has ended and all that it printed is read. */
  async ended(): Promise<Ended> {
    const { code } = await this.#server.exit
    const printed = (stream: string): string =>
      this.#server
        .logs()
        .filter((line) => line.stream === stream)
        .map((line) => `${line.text}\n`)
        .join('')
    return { code, stdout: printed('stdout'), stderr: printed('stderr') }
  }

  /** Ends it as an operator would. */
  async stop(): Promise<Ended> {
    await this.#server.stop({ graceMs: 60_000, killAfterMs: 70_000, deadlineMs: 80_000 })
    const ended = await this.ended()
    await this.#cluster.dispose()
    return ended
  }

  /** Ends it without a warning, and everything that it started. Safe to repeat. */
  async kill(): Promise<void> {
    if (this.alive) await this.#server.kill()
    await this.#cluster.dispose()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }
}
