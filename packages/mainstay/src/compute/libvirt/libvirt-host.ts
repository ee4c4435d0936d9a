import {
  DomainEventId,
  DomainXmlFlag,
  LibvirtDisconnectedError,
  LibvirtError,
  LibvirtErrorCode,
  LibvirtSession,
  LibvirtTimeoutError,
  type CallOptions,
  type Domain,
  type DomainRef,
  type DomainStateAndReason,
  type LibvirtConnection,
  type NodeInfo,
} from '@mainstay/libvirt-rpc'

import type { Clock } from '../../core/clock.ts'
import { errorCode } from '../../core/errors.ts'
import type { TaskGroup } from '../../core/task-group.ts'
import type { HostName } from '../compute.ts'
import { ComputeUnavailableError } from '../errors.ts'

export interface LibvirtHostOptions {
  readonly name: HostName
  /** The read-write socket, e.g. `/run/libvirt/libvirt-sock`, or the end of a tunnel to it. */
  readonly socketPath: string
  /** The driver on the host; default `qemu:///system`. */
  readonly uri?: string | undefined
}

export interface HostTiming {
  readonly connectTimeoutMs: number
  readonly askTimeoutMs: number
  readonly reconnectMinMs: number
  readonly reconnectMaxMs: number
  readonly keepaliveIntervalMs: number
  readonly keepaliveMisses: number
}

export interface HostListener {
  /** A connection stands and no news is missed from here on. */
  connected(host: LibvirtHost): void
  /** The connection was lost, or the first attempts to make one failed. */
  lost(host: LibvirtHost): void
  /** Something happened to a guest. */
  guestChanged(host: LibvirtHost, uuid: string): void
}

/** One call's bounds. */
export interface CallBounds {
  readonly signal: AbortSignal
  readonly timeoutMs?: number
}

export interface HostServices {
  readonly clock: Clock
  readonly tasks: TaskGroup
  readonly timing: HostTiming
}

/** One host's libvirtd, through a connection that comes back by itself. */
export class LibvirtHost {
  readonly name: HostName
  readonly #session: LibvirtSession
  readonly #timing: HostTiming
  readonly #tasks: TaskGroup
  readonly #firstAttempt = Promise.withResolvers<void>()
  #node: NodeInfo | undefined
  #cpuTimeMs: number | undefined
  /** Whether nobody listens there, as opposed to somebody who does not answer. */
  #refused = false
  #connected = false
  #everConnected = false
  #failed = false

  constructor({ name, socketPath, uri }: LibvirtHostOptions, { clock, tasks, timing }: HostServices) {
    this.name = name
    this.#tasks = tasks
    this.#timing = timing
    this.#session = new LibvirtSession({
      socketPath,
      ...(uri === undefined ? {} : { uri }),
      connectTimeoutMs: timing.connectTimeoutMs,
      callTimeoutMs: timing.askTimeoutMs,
      minDelayMs: timing.reconnectMinMs,
      maxDelayMs: timing.reconnectMaxMs,
      keepaliveIntervalMs: timing.keepaliveIntervalMs,
      keepaliveMisses: timing.keepaliveMisses,
      timers: {
        now: () => clock.monotonic(),
        after: (delayMs, run) => {
          const timer = clock.after(delayMs, run)
          return () => timer[Symbol.dispose]()
        },
      },
    })
  }

  /** Whether this process has spoken with it before. */
  get everConnected(): boolean {
    return this.#everConnected
  }

  /**
   * `down` only when the connection was refused: then nobody serves there. Silence is `unknown`.
   */
  get state(): 'up' | 'down' | 'unknown' {
    if (this.#connected) return 'up'
    return this.#refused ? 'down' : 'unknown'
  }

  /** Undefined until the host has answered once. */
  get node(): NodeInfo | undefined {
    return this.#node
  }

  /**
   * What its processors have spent since it booted, as of the last look on this connection; undefined where it does not
   * tell. One that is less than an earlier one shows that it has booted in between.
   */
  get cpuTimeMs(): number | undefined {
    return this.#cpuTimeMs
  }

  /** Looks at it anew. @throws ComputeUnavailableError, the signal's reason */
  async lookAtCpuTime(bounds: CallBounds): Promise<void> {
    await this.call('tell how long it is up', bounds, async (connection, options) => {
      const cpuTimeMs = await cpuTimeOf(connection, options)
      if (this.#session.connection === connection) this.#cpuTimeMs = cpuTimeMs
    })
  }

  /** Starts connecting. @returns once the first attempt has ended, one way or the other */
  async start(listener: HostListener): Promise<void> {
    this.#session.on('connected', (connection) => {
      if (this.#tasks.signal.aborted) return
      void this.#tasks.spawn(`greet libvirtd of ${this.name}`, async () => await this.#welcome(connection, listener))
    })
    this.#session.on('disconnected', () => this.#lose(listener))
    this.#session.on('connect-failed', (error) => {
      this.#refused = ['ECONNREFUSED', 'ENOENT'].includes(errorCode(error.cause) ?? '')
      this.#firstAttempt.resolve()
      if (!this.#failed) this.#lose(listener)
    })
    const changed = ({ domain }: { domain: Domain }): void => listener.guestChanged(this, domain.uuid)
    this.#session.subscribe(DomainEventId.LIFECYCLE, {}, changed)
    this.#session.subscribe(DomainEventId.METADATA_CHANGE, {}, changed)
    this.#session.start()
    await this.#firstAttempt.promise
  }

  /**
   * Makes one call.
   *
   * @throws ComputeUnavailableError when the host does not answer, LibvirtError when it refuses, the signal's reason
   */
  async call<T>(
    what: string,
    { signal, timeoutMs = this.#timing.askTimeoutMs }: CallBounds,
    work: (connection: LibvirtConnection, options: { signal: AbortSignal; timeoutMs: number }) => Promise<T>,
  ): Promise<T> {
    signal.throwIfAborted()
    const { connection } = this.#session
    if (connection === undefined) {
      throw new ComputeUnavailableError(
        `libvirtd of host ${this.name} does not answer, so it could not be asked to ${what}. Nothing was done.`,
      )
    }
    try {
      return await work(connection, { signal, timeoutMs })
    } catch (error) {
      if (error instanceof LibvirtTimeoutError || error instanceof LibvirtDisconnectedError) {
        throw new ComputeUnavailableError(
          `libvirtd of host ${this.name} was asked to ${what} and gave no answer: ${error.message}`,
          { cause: error },
        )
      }
      throw error
    }
  }

  /** The state of a guest here, or undefined when the host does not have it. */
  async guestState(uuid: string, bounds: CallBounds): Promise<DomainStateAndReason | undefined> {
    return await this.call(`tell the state of guest ${uuid}`, bounds, async (connection, options) => {
      return await absentAsUndefined(connection.getState(byUuid(uuid), options))
    })
  }

  /** The XML with which a guest of this host can be defined on another, secrets included; undefined when it is not here. */
  async guestXml(uuid: string, bounds: CallBounds): Promise<string | undefined> {
    const flags = DomainXmlFlag.SECURE | DomainXmlFlag.INACTIVE
    return await this.call(`tell the definition of guest ${uuid}`, bounds, async (connection, options) => {
      return await absentAsUndefined(connection.getXml(byUuid(uuid), { ...options, flags }))
    })
  }

  async close(): Promise<void> {
    this.#firstAttempt.resolve()
    await this.#session.close()
  }

  async #welcome(connection: LibvirtConnection, listener: HostListener): Promise<void> {
    this.#refused = false
    try {
      this.#node = await connection.getNodeInfo()
      this.#cpuTimeMs = await cpuTimeOf(connection)
    } catch (error) {
      // A connection that ends at once is told as lost; the next one asks again.
      if (!isLibvirtTrouble(error)) throw error
    }
    if (this.#session.connection !== connection) return
    this.#connected = true
    this.#everConnected = true
    this.#failed = false
    this.#firstAttempt.resolve()
    listener.connected(this)
  }

  #lose(listener: HostListener): void {
    this.#connected = false
    this.#cpuTimeMs = undefined
    this.#failed = true
    listener.lost(this)
  }
}

/** Undefined where libvirt cannot read it. */
async function cpuTimeOf(connection: LibvirtConnection, options?: CallOptions): Promise<number | undefined> {
  try {
    const spent = [...(await connection.getNodeCpuStats(options)).values()].reduce((sum, each) => sum + each, 0n)
    return spent === 0n ? undefined : Number(spent / 1_000_000n)
  } catch (error) {
    if (error instanceof LibvirtError) return undefined
    throw error
  }
}

/** libvirt looks a domain up by its UUID; the name is for its messages only. */
export function byUuid(uuid: string): DomainRef {
  return { name: uuid, uuid }
}

/** Undefined for a domain that the host does not have. */
export async function absentAsUndefined<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call
  } catch (error) {
    if (error instanceof LibvirtError && error.code === LibvirtErrorCode.NO_DOMAIN) return undefined
    throw error
  }
}

/** Undefined where a host does not answer. */
export async function orSilence<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call
  } catch (error) {
    if (error instanceof ComputeUnavailableError) return undefined
    throw error
  }
}

function isLibvirtTrouble(error: unknown): boolean {
  return [LibvirtError, LibvirtTimeoutError, LibvirtDisconnectedError].some((type) => error instanceof type)
}
