import { join } from 'node:path'
import { TestkitError, systemCode } from '../errors.ts'
import { claimLock, homeDir, releaseLock, removeQuietly } from '../home.ts'
import type { ReaperClient } from '../reaper/reaper-client.ts'
import type { ListenSpec } from '../spec.ts'
import { openListeningSocket, type ListeningSocket } from './listening-socket.ts'
import { isBindable, leasePort, type PortLease } from './port-lease.ts'
import { describeOwners, ownersOfPort } from './port-owner.ts'
import { shortSocketPath } from './unix-path.ts'

/** What the child must be given so that it finds its sockets. */
export interface Handover {
  readonly descriptors: readonly number[]
  readonly env: Readonly<Record<string, string>>
  readonly systemd: boolean
}

/**
 * The listeners of one server: which port each has, and how the child gets it.
 *
 *   choose() ─ numbers are known, config can be rendered ─▶ open() ─ sockets listen ─▶ (spawn) closeParentCopies()
 *
 * Sockets with a new number are opened by `choose`, which is what makes the number ours; sockets that get their old
 * number back are opened by `open`, immediately before the spawn, so that no waiting client is accepted by the parent.
 */
export class Listeners {
  readonly #specs: readonly ListenSpec[]
  readonly #reaper: ReaperClient
  readonly #leases = new Map<string, PortLease>()
  readonly #open = new Map<string, ListeningSocket>()
  #ports: Record<string, number> = {}
  #sockets: Record<string, string> = {}
  #shortcuts: string[] = []
  #lost = 0

  constructor(specs: readonly ListenSpec[], reaper: ReaperClient) {
    this.#specs = specs
    this.#reaper = reaper
  }

  get ports(): Readonly<Record<string, number>> {
    return this.#ports
  }

  get sockets(): Readonly<Record<string, string>> {
    return this.#sockets
  }

  /** Connections that the parent accepted although it should not have: 0 in a sound test. */
  get lostConnections(): number {
    return this.#lost
  }

  /** A server that listens by itself (inline) tells its ports afterwards. */
  adopt(ports: Readonly<Record<string, number>>): void {
    this.#ports = { ...this.#ports, ...ports }
  }

  async choose(runDir: string, options: { fresh: boolean }): Promise<void> {
    for (const spec of this.#specs) {
      if (spec.host === 'unix') this.#chooseSocket(spec, runDir)
      else await this.#choosePort(spec, spec.host ?? '127.0.0.1', options.fresh)
    }
  }

  async open(): Promise<Handover> {
    for (const spec of this.#specs) {
      if (this.#open.has(spec.name) || handoverOf(spec) === 'none') continue
      const path = this.#sockets[spec.name]
      const where = path === undefined ? { host: hostOf(spec), port: this.#ports[spec.name] ?? 0 } : { path }
      this.#open.set(spec.name, await this.#openOrExplain(spec, where))
    }
    return this.#handover()
  }

  closeParentCopies(): void {
    for (const socket of this.#open.values()) {
      socket.close()
      this.#lost += socket.lostConnections
    }
    this.#open.clear()
  }

  /** After a stop: others may have the ports; a restart asks for the same numbers again. */
  release(): void {
    this.closeParentCopies()
    for (const lease of this.#leases.values()) lease.release()
    this.#leases.clear()
  }

  dispose(): void {
    this.release()
    for (const path of this.#shortcuts) {
      removeQuietly(path)
      this.#reaper.tell({ event: 'forget-dir', path })
    }
    this.#shortcuts = []
  }

  #chooseSocket(spec: ListenSpec, runDir: string): void {
    if (this.#sockets[spec.name] !== undefined) return
    const { path, remove } = shortSocketPath(join(runDir, `${spec.name}.sock`))
    this.#sockets[spec.name] = path
    if (remove === undefined) return
    this.#reaper.tell({ event: 'dir', path: remove })
    this.#shortcuts.push(remove)
  }

  async #choosePort(spec: ListenSpec, host: '127.0.0.1' | '::1', fresh: boolean): Promise<void> {
    const old = fresh ? undefined : this.#ports[spec.name]
    const wanted = spec.port ?? old
    if (wanted !== undefined) {
      if (await this.#take(spec, wanted, host)) return
      if (spec.port !== undefined || spec.samePort === 'require') throw portTaken(spec, wanted)
    }
    if (handoverOf(spec) === 'none') {
      this.#leases.get(spec.name)?.release()
      const lease = await leasePort({ host, reaper: this.#reaper })
      this.#leases.set(spec.name, lease)
      this.#ports[spec.name] = lease.port
    } else {
      const socket = await openListeningSocket({ host, port: 0 })
      this.#open.set(spec.name, socket)
      this.#ports[spec.name] = socket.port
    }
  }

  /** A number that was decided before: free now, and for a server that binds itself leased again. */
  async #take(spec: ListenSpec, port: number, host: string): Promise<boolean> {
    if (!(await isBindable(port, host))) return false
    if (handoverOf(spec) === 'none' && !this.#leases.has(spec.name)) {
      const path = join(homeDir('ports'), `${port}.lock`)
      if (!claimLock(path)) return false
      this.#reaper.tell({ event: 'lease', path })
      this.#leases.set(spec.name, { port, path, release: () => this.#forget(path) })
    }
    this.#ports[spec.name] = port
    return true
  }

  #forget(path: string): void {
    releaseLock(path)
    this.#reaper.tell({ event: 'forget-lease', path })
  }

  async #openOrExplain(
    spec: ListenSpec,
    where: { host: '127.0.0.1' | '::1'; port: number } | { path: string },
  ): Promise<ListeningSocket> {
    try {
      return await openListeningSocket(where)
    } catch (cause) {
      if (systemCode(cause) !== 'EADDRINUSE' || !('port' in where)) throw cause
      throw portTaken(spec, where.port, cause)
    }
  }

  #handover(): Handover {
    const descriptors: number[] = []
    const env: Record<string, string> = {}
    const inherited: string[] = []
    const systemd: string[] = []
    // systemd's descriptors must start at 3: they come first.
    const order = [...this.#specs].sort((a, b) => Number(b.handover === 'systemd') - Number(a.handover === 'systemd'))
    for (const spec of order) {
      const socket = this.#open.get(spec.name)
      const handover = handoverOf(spec)
      if (socket === undefined || handover === 'none') continue
      const number = 3 + descriptors.length
      descriptors.push(socket.fd)
      if (handover === 'systemd') systemd.push(spec.name)
      else if (handover === 'inherit') inherited.push(`${spec.name}:${number}`)
      else env[handover.env] = String(number)
    }
    if (inherited.length > 0) env['MAINSTAY_LISTEN_FDS'] = inherited.join(',')
    if (systemd.length > 0) {
      env['LISTEN_FDS'] = String(systemd.length)
      env['LISTEN_FDNAMES'] = systemd.join(':')
    }
    return { descriptors, env, systemd: systemd.length > 0 }
  }
}

export function handoverOf(spec: ListenSpec): 'inherit' | 'systemd' | 'none' | { readonly env: string } {
  return spec.handover ?? 'inherit'
}

function hostOf(spec: ListenSpec): '127.0.0.1' | '::1' {
  return spec.host === '::1' ? '::1' : '127.0.0.1'
}

function portTaken(spec: ListenSpec, port: number, cause?: unknown): TestkitError {
  return new TestkitError(
    'TK_PORT_TAKEN',
    `port ${port} of listener "${spec.name}" is taken by ${describeOwners(ownersOfPort(port))}. ` +
      'End that process, or let the kit choose a port.',
    cause === undefined ? {} : { cause },
  )
}
