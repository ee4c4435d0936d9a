import {
  LibvirtError,
  LibvirtErrorCode,
  LibvirtSession,
  type LibvirtConnectError,
  type LibvirtConnection,
} from '@mainstay/libvirt-rpc'

import type { Clock } from '../../../core/clock.ts'
import { withDeadline } from '../../../core/deadline.ts'
import { TimeoutError, errorMessage } from '../../../core/errors.ts'
import { providerError } from '../errors.ts'
import { libvirtFailureClass } from './failure-class.ts'
import type { LibvirtProviderOptions, LibvirtProviderSettings } from './options.ts'

/** A call's bounds, as libvirt-rpc takes them. */
export interface Bounds {
  readonly signal: AbortSignal
  readonly timeoutMs: number
}

/** One host's libvirtd, through a connection that is made when it is first needed and comes back by itself. */
export class LibvirtAccess {
  readonly #provider: string
  readonly #clock: Clock
  readonly #settings: LibvirtProviderSettings
  readonly #session: LibvirtSession
  #lastFailure: LibvirtConnectError | undefined

  constructor({ name, clock, socketPath, uri }: LibvirtProviderOptions, settings: LibvirtProviderSettings) {
    this.#provider = name
    this.#clock = clock
    this.#settings = settings
    this.#session = new LibvirtSession({
      socketPath,
      ...(uri === undefined ? {} : { uri }),
      connectTimeoutMs: settings.connectTimeoutMs,
      callTimeoutMs: settings.actTimeoutMs,
      minDelayMs: 250,
      maxDelayMs: settings.connectTimeoutMs,
      timers: {
        now: () => clock.monotonic(),
        after: (delayMs, run) => {
          const timer = clock.after(delayMs, run)
          return () => timer[Symbol.dispose]()
        },
      },
    })
    this.#session.on('connect-failed', (error) => void (this.#lastFailure = error))
    this.#session.on('connected', () => void (this.#lastFailure = undefined))
  }

  /** Asks libvirtd something. @param what completes "could not …" @throws ProviderError, or the signal's reason */
  async ask<T>(what: string, signal: AbortSignal, work: (libvirt: LibvirtConnection, bounds: Bounds) => Promise<T>) {
    return await this.#call(what, { signal, timeoutMs: this.#settings.askTimeoutMs }, work)
  }

  /** Has libvirtd do something. @throws as `ask` */
  async act<T>(what: string, signal: AbortSignal, work: (libvirt: LibvirtConnection, bounds: Bounds) => Promise<T>) {
    return await this.#call(what, { signal, timeoutMs: this.#settings.actTimeoutMs }, work)
  }

  async close(): Promise<void> {
    await this.#session.close()
  }

  async #call<T>(
    what: string,
    bounds: Bounds,
    work: (libvirt: LibvirtConnection, bounds: Bounds) => Promise<T>,
  ): Promise<T> {
    const { signal } = bounds
    signal.throwIfAborted()
    try {
      return await work(await this.#connected(signal), bounds)
    } catch (error) {
      signal.throwIfAborted()
      const text = error instanceof LibvirtError ? error.serverMessage : errorMessage(error)
      const message = `Provider ${this.#provider} could not ${what}: ${text}`
      throw providerError(libvirtFailureClass(error), this.#provider, message, { cause: error })
    }
  }

  async #connected(signal: AbortSignal): Promise<LibvirtConnection> {
    this.#session.start()
    const { connection } = this.#session
    if (connection !== undefined) return connection
    const { connectTimeoutMs: timeoutMs } = this.#settings
    try {
      return await withDeadline(
        { clock: this.#clock, what: 'Connecting to libvirtd', timeoutMs, signal },
        async (bounded) => await this.#session.connected({ signal: bounded }),
      )
    } catch (error) {
      if (error instanceof TimeoutError && this.#lastFailure !== undefined) throw this.#lastFailure
      throw error
    }
  }
}

/** Undefined for what libvirt says is not there. */
export async function unlessMissing<T>(call: Promise<T>, ...codes: readonly number[]): Promise<T | undefined> {
  try {
    return await call
  } catch (error) {
    if (error instanceof LibvirtError && codes.includes(error.code)) return undefined
    throw error
  }
}

export const { AGENT_UNRESPONSIVE, NO_DOMAIN, NO_DOMAIN_METADATA, NO_STORAGE_POOL, NO_STORAGE_VOL, OPERATION_INVALID } =
  LibvirtErrorCode
