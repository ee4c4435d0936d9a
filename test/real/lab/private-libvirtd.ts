import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HostNamespace } from './host-namespace.ts'
import { waitUntil } from './wait-until.ts'

export interface PrivateLibvirtdOptions {
  /** The host's name inside; default `lab-host`. Two hosts of one test want two names. */
  readonly hostname?: string
  /** More settings for libvirtd.conf, e.g. `{ max_client_requests: 2 }`. */
  readonly daemonConfig?: Readonly<Record<string, string | number>>
}

export interface CommandResult {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

/** How long the daemon, a guest or a command may take on a busy machine, in ms. */
const PATIENCE_MS = 30_000

/**
 * A virtualisation host for tests: a libvirtd with its QEMUs in a machine made of namespaces, with its own configuration,
 * state, sockets and host name. Several run side by side; the real machine's /etc, /run and /var stay untouched.
 *
 *   on, daemon up ◀──startDaemon()/stopDaemon()──▶ on, daemon down        guests run on, as with the real one
 *        └──────────────powerOff()──▶ off ──powerOn()──▶ on, daemon up     guests are dead, definitions survive
 *
 * Source: monitors.md 13.1. Needs root; ask `requireLibvirt` first.
 */
export class PrivateLibvirtd implements AsyncDisposable {
  readonly hostname: string
  /** Where all of it lives; removed on disposal. */
  readonly directory: string
  readonly #options: PrivateLibvirtdOptions
  #host: HostNamespace | undefined
  #boots = 0

  private constructor(directory: string, options: PrivateLibvirtdOptions) {
    this.directory = directory
    this.hostname = options.hostname ?? 'lab-host'
    this.#options = options
  }

  /** Starts a host and waits until its daemon answers. */
  static async start(options: PrivateLibvirtdOptions = {}): Promise<PrivateLibvirtd> {
    // Inside, /run and /var are covered by the host's own: the folder must be elsewhere. Short, for the socket's sake.
    const base = /^\/(run|var)\b/.test(tmpdir()) ? '/tmp' : tmpdir()
    const host = new PrivateLibvirtd(await mkdtemp(join(base, 'libvirt-')), options)
    try {
      await host.#writeConfig()
      await host.powerOn()
      return host
    } catch (error) {
      await host[Symbol.asyncDispose]()
      throw error
    }
  }

  get socketPath(): string {
    return join(this.directory, 'run/libvirt/libvirt-sock')
  }

  get readOnlySocketPath(): string {
    return join(this.directory, 'run/libvirt/libvirt-sock-ro')
  }

  /** For `virsh -c`. */
  get uri(): string {
    return `qemu:///system?socket=${this.socketPath}`
  }

  /** libvirtd's own log. */
  get logPath(): string {
    return join(this.directory, 'libvirtd.log')
  }

  /** Runs virsh against this host, in the C locale. A failure is told by `exitCode`, it does not throw. */
  virsh(...args: readonly string[]): Promise<CommandResult> {
    const outcome = Promise.withResolvers<CommandResult>()
    const env = { ...process.env, LC_ALL: 'C' }
    const options = { env, timeout: PATIENCE_MS, killSignal: 'SIGKILL', maxBuffer: 64 * 1024 * 1024 } as const
    execFile('virsh', ['-c', this.uri, ...args], options, (error, stdout, stderr) => {
      if (error !== null && typeof error.code !== 'number') outcome.reject(error)
      else outcome.resolve({ exitCode: Number(error?.code ?? 0), stdout, stderr })
    })
    return outcome.promise
  }

  /** libvirtd's process, as this machine counts; `undefined` while it is down. */
  async daemonPid(): Promise<number | undefined> {
    const processes = (await this.#host?.processes()) ?? []
    return processes.find(({ command }) => command[0] === 'libvirtd')?.pid
  }

  /** The QEMU process of a running guest, as this machine counts; `undefined` when there is none. */
  async qemuPid(domainName: string): Promise<number | undefined> {
    const processes = (await this.#host?.processes()) ?? []
    const prefix = `guest=${domainName},`
    return processes.find(({ command }) => command.some((word) => word.startsWith(prefix)))?.pid
  }

  /** Signals a guest's QEMU; with SIGKILL it also waits until it is gone. Throws when it does not run. */
  async killQemu(domainName: string, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const pid = await this.qemuPid(domainName)
    if (pid === undefined) throw new Error(`${domainName} has no QEMU process on ${this.hostname}.`)
    process.kill(pid, signal)
    if (signal !== 'SIGKILL') return
    await untilGone(pid, `${domainName}'s QEMU`)
  }

  async startDaemon(): Promise<void> {
    this.#host?.run('libvirtd -p /run/libvirtd.pid </dev/null &')
    await waitUntil(async () => (await isListening(this.socketPath)) && (await this.virsh('hostname')).exitCode === 0, {
      timeoutMs: PATIENCE_MS,
      what: `an answer of libvirtd at ${this.socketPath} (see ${this.logPath})`,
    })
  }

  /** Ends libvirtd and waits for it; the guests run on. SIGKILL by default is what a crash looks like. */
  async stopDaemon(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const pid = await this.daemonPid()
    if (pid === undefined) return
    process.kill(pid, signal)
    await untilGone(pid, 'libvirtd')
  }

  /** Takes away what libvirtd, which must be down, keeps of a running guest: it will not know its QEMU any more. */
  async loseRuntimeState(domainName: string): Promise<void> {
    for (const kind of ['xml', 'pid']) {
      await rm(join(this.directory, 'run/libvirt/qemu', `${domainName}.${kind}`))
    }
  }

  /** Stops the daemon without ending it, as a hung one: its socket stays open and nothing answers. */
  async freezeDaemon(): Promise<void> {
    await this.#signalDaemon('SIGSTOP')
  }

  async thawDaemon(): Promise<void> {
    await this.#signalDaemon('SIGCONT')
  }

  /** Cuts the power: libvirtd and every QEMU die at once. Safe to repeat. */
  async powerOff(): Promise<void> {
    await this.#host?.powerOff()
    this.#host = undefined
  }

  /** Boots the host again: an empty /run, the definitions as they were. */
  async powerOn(): Promise<void> {
    if (this.#host !== undefined) throw new Error(`${this.hostname} is on already.`)
    await rm(join(this.directory, 'run'), { recursive: true, force: true })
    await mkdir(join(this.directory, 'run'))
    this.#host = await HostNamespace.start({ hostname: this.hostname, logPath: join(this.directory, 'host.log') })
    this.#host.run(`mount --bind ${this.directory}/passwd /etc/passwd; mount --bind ${this.directory}/group /etc/group`)
    this.#host.run(`mount --bind ${this.directory}/etc /etc/libvirt`)
    await this.#countAnew(this.#host)
    this.#host.run(`mount --bind ${this.directory}/var /var; mount --bind ${this.directory}/run /run`)
    await this.startDaemon()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.powerOff()
    await rm(this.directory, { recursive: true, force: true })
  }

  /**
   * A machine made of namespaces shares the counters of the real one, which do not begin anew when it boots. So after its
   * first boot it is given its own, less each time.
   */
  async #countAnew(host: HostNamespace): Promise<void> {
    this.#boots += 1
    if (this.#boots === 1) return
    const file = join(this.directory, 'proc-stat')
    const idle = Math.max(1, Math.round(100_000 / this.#boots))
    await writeFile(file, `cpu  10 0 10 ${idle} 0 0 0 0 0 0\ncpu0 10 0 10 ${idle} 0 0 0 0 0 0\n`)
    host.run(`mount --bind ${file} /proc/stat`)
  }

  async #signalDaemon(signal: NodeJS.Signals): Promise<void> {
    const pid = await this.daemonPid()
    if (pid === undefined) throw new Error(`libvirtd does not run on ${this.hostname}.`)
    process.kill(pid, signal)
  }

  async #writeConfig(): Promise<void> {
    for (const folder of ['etc', 'var/lib', 'var/log', 'var/cache', 'var/tmp']) {
      await mkdir(join(this.directory, folder), { recursive: true })
    }
    const daemonConfig = Object.entries({
      auth_unix_ro: 'none',
      auth_unix_rw: 'none',
      log_outputs: `3:file:${this.logPath}`,
      ...this.#options.daemonConfig,
    }).map(([name, value]) => `${name} = ${typeof value === 'number' ? value : `"${value}"`}`)
    const qemuConfig = [
      'security_driver = "none"',
      'user = "root"',
      'group = "root"',
      'dynamic_ownership = 0',
      'remember_owner = 0',
      'namespaces = []',
      'cgroup_controllers = []',
      'stdio_handler = "file"',
    ]
    await writeFile(join(this.directory, 'etc/libvirtd.conf'), `${daemonConfig.join('\n')}\n`)
    await writeFile(join(this.directory, 'etc/qemu.conf'), `${qemuConfig.join('\n')}\n`)
    // Debian's libvirtd wants its user to exist; only the package that also starts services creates it.
    await this.#copyWith('/etc/passwd', 'passwd', /^libvirt-qemu:/m, 'libvirt-qemu:x:64055:64055::/:/usr/sbin/nologin')
    await this.#copyWith('/etc/group', 'group', /^libvirt-qemu:/m, 'libvirt-qemu:x:64055:', 'kvm:x:64056:')
  }

  /** Copies a file of the machine and adds the lines that it lacks. */
  async #copyWith(from: string, to: string, present: RegExp, ...lines: readonly string[]): Promise<void> {
    const text = await readFile(from, 'utf8')
    const added = present.test(text) ? [] : lines
    await writeFile(join(this.directory, to), [text.trimEnd(), ...added, ''].join('\n'))
  }
}

/** Reaped, not only dying: its sockets are closed by then. */
async function untilGone(pid: number, who: string): Promise<void> {
  await waitUntil(() => !existsSync(`/proc/${pid}`), { timeoutMs: PATIENCE_MS, what: `the end of ${who}` })
}

function isListening(socketPath: string): Promise<boolean> {
  const outcome = Promise.withResolvers<boolean>()
  const socket = createConnection({ path: socketPath })
  socket.once('connect', () => outcome.resolve(true)).once('error', () => outcome.resolve(false))
  return outcome.promise.finally(() => socket.destroy())
}
