import { serveSpec } from 'mainstay/testkit'

import { ManagedProcess, startAlone } from './managed-process.ts'
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

/** A real `mainstay serve` in a process of its own. */
export class ServeProcess extends ManagedProcess {
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
    return new ServeProcess(await startAlone(spec, { timeoutMs }))
  }

  get url(): string {
    return this.server.url
  }

  get client(): ServeClient {
    return new ServeClient(this.url)
  }
}
