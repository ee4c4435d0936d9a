import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { openSync, closeSync } from 'node:fs'
import { readdir, readFile, readlink } from 'node:fs/promises'
import { waitUntil } from './wait-until.ts'

export interface HostProcess {
  /** As this machine counts, not as the host inside counts. */
  readonly pid: number
  readonly command: readonly string[]
}

/**
 * A machine made of namespaces (mount, host name, processes, IPC, network): what runs inside sees its own /run, /var and
 * host name, and all of it dies at once, as with a power cut.
 *
 *   on ──powerOff() | this process ends──▶ off
 *
 * Its first process is a bash that executes the lines written to its standard input and reaps what is orphaned. When our
 * end of that pipe closes, however this process ended, bash reads the end of its script and leaves; the kernel then
 * kills every process of the namespace. Nothing outlives a test run.
 */
export class HostNamespace {
  readonly #init: ChildProcess
  readonly #pidNamespace: string

  private constructor(init: ChildProcess, pidNamespace: string) {
    this.#init = init
    this.#pidNamespace = pidNamespace
  }

  /** `logPath` receives what the processes inside print. Needs root. */
  static async start(options: { readonly hostname: string; readonly logPath: string }): Promise<HostNamespace> {
    const log = openSync(options.logPath, 'a')
    const flags = ['--mount', '--uts', '--ipc', '--net', '--pid', '--fork', '--kill-child', '--mount-proc']
    const init = spawn('unshare', [...flags, '--propagation', 'private', 'bash', '--norc', '--noprofile'], {
      stdio: ['pipe', log, log],
      detached: true,
    })
    closeSync(log)
    const failed = Promise.withResolvers<never>()
    init.once('error', (error) => failed.reject(error))
    init.once('exit', (code) => failed.reject(new Error(`unshare ended with ${code}; see ${options.logPath}.`)))
    failed.promise.catch(() => undefined)
    const outside = await readlink('/proc/self/ns/pid')
    const pidNamespace = await Promise.race([
      failed.promise,
      waitUntil(() => childNamespace(init.pid, outside), { timeoutMs: 10_000, what: 'the first process of the host' }),
    ])
    const host = new HostNamespace(init, pidNamespace)
    host.run(`hostname ${options.hostname}`)
    return host
  }

  get on(): boolean {
    return this.#init.exitCode === null && this.#init.signalCode === null
  }

  /** Has the first process execute one line of bash. Its output goes to the log; its outcome is not told. */
  run(line: string): void {
    this.#init.stdin?.write(`${line}\n`)
  }

  /** Every living process of the host. */
  async processes(): Promise<HostProcess[]> {
    const entries = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
    const found = await Promise.all(entries.map((pid) => this.#lookAt(Number(pid))))
    return found.filter((process) => process !== undefined)
  }

  /** Kills everything inside without warning and waits until it is gone. Safe to repeat. */
  async powerOff(): Promise<void> {
    if (this.on) this.#init.kill('SIGKILL')
    await waitUntil(async () => (await this.processes()).length === 0, {
      timeoutMs: 10_000,
      what: 'the end of every process of the host',
    })
  }

  async #lookAt(pid: number): Promise<HostProcess | undefined> {
    try {
      if ((await readlink(`/proc/${pid}/ns/pid`)) !== this.#pidNamespace) return undefined
      const command = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0').slice(0, -1)
      // A zombie has no command line any more.
      return command.length > 0 ? { pid, command } : undefined
    } catch (error) {
      if (isNotOurs(error)) return undefined
      throw error
    }
  }
}

async function childNamespace(pid: number | undefined, outside: string): Promise<string | undefined> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  const [child] = children.trim().split(' ')
  if (child === undefined || child === '') return undefined
  const namespace = await readlink(`/proc/${child}/ns/pid`)
  return namespace === outside ? undefined : namespace
}

/** It ended while we looked, or it belongs to somebody whose processes even root may not look at here. */
function isNotOurs(error: unknown): boolean {
  return error instanceof Error && 'code' in error && ['ENOENT', 'ESRCH', 'EACCES'].includes(String(error.code))
}
