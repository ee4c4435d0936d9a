import { existsSync } from 'node:fs'

import {
  DomainListFlag,
  DomainMetadataType,
  LibvirtError,
  LibvirtErrorCode,
  LibvirtSession,
  type LibvirtConnection,
} from '@mainstay/libvirt-rpc'

import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/logging.ts'
import type { Random } from '../../core/random.ts'
import type { AgentLibvirtOptions } from '../agent-options.ts'
import type { DomainAccess, DomainListener, DomainSource } from './domain-source.ts'
import type { LibvirtAddress } from './libvirt-address.ts'
import { WATCHED_EVENTS } from './normalise.ts'
import type { CurrentDomain } from './reconcile.ts'

/** How long libvirt is waited for. */
export type LibvirtTimes = Omit<AgentLibvirtOptions, 'connectionUri'>

/**
 * The domains of this host's libvirt, over its read-only socket (IM-1). The session reconnects for ever (IM-3) and
 * registers the events again before it says that it stands (IM-4, IM-5). Where a host has another daemon than the one
 * that was tried, a failed attempt moves on to that one's socket.
 */
export class LibvirtDomainSource implements DomainSource {
  readonly #address: LibvirtAddress
  readonly #times: LibvirtTimes
  readonly #deps: { clock: Clock; random: Random; logger: Logger }
  #listener: DomainListener | undefined
  #session: LibvirtSession | undefined

  constructor(
    { address, times }: { address: LibvirtAddress; times: LibvirtTimes },
    deps: { clock: Clock; random: Random; logger: Logger },
  ) {
    this.#address = address
    this.#times = times
    this.#deps = deps
  }

  start(listener: DomainListener): void {
    this.#listener = listener
    this.#open(listener, this.#socketPath())
  }

  async stop(): Promise<void> {
    this.#listener = undefined
    await this.#session?.close()
  }

  #open(listener: DomainListener, socketPath: string): void {
    const { random, logger } = this.#deps
    const { connectTimeoutMs, callTimeoutMs, keepaliveIntervalMs, keepaliveMisses } = this.#times
    const session = new LibvirtSession({
      connectTimeoutMs,
      callTimeoutMs,
      keepaliveIntervalMs,
      keepaliveMisses,
      socketPath,
      uri: this.#address.uri,
      readOnly: true,
      random: () => random.next(),
    })
    this.#session = session
    for (const id of WATCHED_EVENTS) session.subscribe(id, {}, (event) => listener.event(event))
    session.on('connected', (connection) => listener.connected(access(connection)))
    session.on('disconnected', ({ message }) => listener.disconnected(message))
    session.on('subscribe-failed', (error, eventId) => {
      logger.warn({ eventId, err: error }, `libvirt does not tell of events of kind ${eventId}`)
    })
    session.on('connect-failed', (error, delayMs) => {
      listener.disconnected(error.message)
      logger.warn({ inMs: Math.round(delayMs), cause: error.cause }, error.message)
      const better = this.#socketPath()
      if (better === socketPath || this.#listener !== listener) return
      void session.close()
      this.#open(listener, better)
    })
    session.start()
  }

  #socketPath(): string {
    const { socketPaths } = this.#address
    return socketPaths.find((path) => existsSync(path)) ?? socketPaths[0]
  }
}

function access(connection: LibvirtConnection): DomainAccess {
  return {
    listDomains: async ({ signal }) => {
      const persistent = await connection.listAllDomains({ flags: DomainListFlag.PERSISTENT, signal })
      const transient = await connection.listAllDomains({ flags: DomainListFlag.TRANSIENT, signal })
      const seen = await Promise.all([
        ...persistent.map(async (domain) => await currentDomain(connection, domain, { persistent: true, signal })),
        ...transient.map(async (domain) => await currentDomain(connection, domain, { persistent: false, signal })),
      ])
      return seen.filter((domain) => domain !== undefined)
    },
    metadata: async (domain, { namespace, signal }) => {
      const wanted = { type: DomainMetadataType.ELEMENT, uri: namespace, signal }
      return await unless(
        [LibvirtErrorCode.NO_DOMAIN_METADATA],
        async () => await connection.getMetadata(domain, wanted),
      )
    },
  }
}

/** Undefined when the domain has gone since it was listed. */
async function currentDomain(
  connection: LibvirtConnection,
  domain: { readonly uuid: string; readonly name: string },
  { persistent, signal }: { persistent: boolean; signal: AbortSignal },
): Promise<CurrentDomain | undefined> {
  const { uuid, name } = domain
  return await unless([LibvirtErrorCode.NO_DOMAIN], async () => {
    const { state, reason } = await connection.getState(domain, { signal })
    return { uuid: uuid.toLowerCase(), name, state, reason, persistent }
  })
}

async function unless<T>(codes: readonly number[], work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof LibvirtError && codes.includes(error.code)) return undefined
    throw error
  }
}
