import { hostname } from 'node:os'

import { AgentConfigError } from './errors.ts'
import type { PanicAs } from './instance/report-table.ts'
import { isHostName, type NotificationType } from './report.ts'
import type { RetryTimes } from './sender/back-off.ts'

/** Everything that can be chosen about an agent. Source: monitors.md section 10. */
export interface AgentOptions {
  /** `[DEFAULT] hostname`: the name under which this host stands in its failover segment. */
  readonly hostname: string
  /** `[DEFAULT] tempdir`: must be writable at the start when it is set (DL-1). */
  readonly tempdir: string | undefined
  /** Where what must outlive the process is kept. */
  readonly stateDir: string
  readonly sender: AgentSenderOptions
  readonly api: AgentApiOptions
  readonly libvirt: AgentLibvirtOptions
  readonly instance: InstanceOptions
  readonly metrics: {
    /** `[metrics] listen`: `address:port`, or `0` for none. */
    readonly listen: string
  }
}

export interface AgentSenderOptions {
  readonly spoolDir: string
  readonly spoolTtlMs: number
  readonly sendConcurrency: number
  readonly retryMode: 'backoff' | 'compat'
  readonly retryCapMs: number
  readonly maxRetryAfterMs: number
  readonly shutdownGraceMs: number
  readonly retry: Readonly<Record<NotificationType, RetryTimes>>
  /** How often the addresses of this host are looked at, to try again at once when they change. */
  readonly networkCheckMs: number
}

export interface AgentApiOptions {
  /** Where `/notifications` is, for example `http://127.0.0.1:15868/v1`; undefined asks the service catalogue. */
  readonly endpoint: string | undefined
  readonly authType: 'none' | 'token' | 'keystone'
  /** For `token`. */
  readonly token: string | undefined
  readonly region: string
  readonly interface: 'public' | 'internal' | 'admin'
  readonly timeoutMs: number
  /** The Keystone options of `[api]` as they stand in the file (`auth_url`, `username`, …). */
  readonly keystone: Readonly<Record<string, string>>
  readonly cafile: string | undefined
  readonly certfile: string | undefined
  readonly keyfile: string | undefined
  readonly insecure: boolean
}

export interface AgentLibvirtOptions {
  readonly connectionUri: string
  /** `[libvirt] connect_timeout`: bound on connecting. */
  readonly connectTimeoutMs: number
  /** `[libvirt] call_timeout`: bound on one answer. */
  readonly callTimeoutMs: number
  /** `[libvirt] keepalive_interval`: after this silence libvirt is asked for a sign of life (IM-2). */
  readonly keepaliveIntervalMs: number
  /** `[libvirt] keepalive_misses`: unanswered signs after which the connection is given up. */
  readonly keepaliveMisses: number
}

export interface InstanceOptions {
  readonly dedupeWindowMs: number
  readonly panicAs: PanicAs
  readonly ignoreDomains: readonly string[]
  /** `domain` or `metadata:<namespace>#<tag>`. */
  readonly uuidSource: string
  /** After this long a comparison with libvirt that failed is tried again. */
  readonly reconcileRetryMs: number
  /** `[instance] reconcile_timeout`: bound on one comparison with libvirt. */
  readonly reconcileTimeoutMs: number
  /** `[instance] identity_timeout`: bound on reading the identity of one guest in its metadata. */
  readonly identityTimeoutMs: number
}

/** Parts of the options; what is left out has its default. */
export type AgentOverrides = {
  readonly [Part in keyof AgentOptions]?: AgentOptions[Part] extends object
    ? Partial<AgentOptions[Part]>
    : AgentOptions[Part]
}

const DEFAULT_RETRY: RetryTimes = { intervalMs: 10_000, max: 12 }

/**
 * The options with the defaults of monitors.md section 10 filled in.
 *
 * @throws AgentConfigError
 */
export function agentOptions(given: AgentOverrides = {}): AgentOptions {
  const options: AgentOptions = {
    hostname: given.hostname ?? hostname(),
    tempdir: given.tempdir,
    stateDir: given.stateDir ?? '/var/lib/mainstay',
    sender: {
      spoolDir: '/var/lib/mainstay/spool',
      spoolTtlMs: 86_400_000,
      sendConcurrency: 4,
      retryMode: 'backoff',
      retryCapMs: 60_000,
      maxRetryAfterMs: 3_600_000,
      shutdownGraceMs: 10_000,
      retry: { COMPUTE_HOST: DEFAULT_RETRY, VM: DEFAULT_RETRY, PROCESS: DEFAULT_RETRY },
      networkCheckMs: 5_000,
      ...given.sender,
    },
    api: {
      endpoint: undefined,
      authType: 'keystone',
      token: undefined,
      region: 'RegionOne',
      interface: 'public',
      timeoutMs: 30_000,
      keystone: {},
      cafile: undefined,
      certfile: undefined,
      keyfile: undefined,
      insecure: false,
      ...given.api,
    },
    libvirt: {
      connectionUri: 'qemu:///system',
      connectTimeoutMs: 10_000,
      callTimeoutMs: 30_000,
      keepaliveIntervalMs: 5_000,
      keepaliveMisses: 3,
      ...given.libvirt,
    },
    instance: {
      dedupeWindowMs: 10_000,
      panicAs: 'native',
      ignoreDomains: [],
      uuidSource: 'domain',
      reconcileRetryMs: 5_000,
      reconcileTimeoutMs: 60_000,
      identityTimeoutMs: 5_000,
      ...given.instance,
    },
    metrics: { listen: '127.0.0.1:9710', ...given.metrics },
  }
  if (!isHostName(options.hostname)) {
    throw new AgentConfigError(
      `hostname is "${options.hostname}", which the API cannot take: 1 to 255 letters, digits, "-", "." and "_". ` +
        `Set [DEFAULT] hostname to the name of this host in its failover segment.`,
    )
  }
  return options
}
