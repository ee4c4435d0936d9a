import type { JsonObject } from '../core/json.ts'

/** The kinds of things that can fail. Source: monitors.md section 1. */
export const NOTIFICATION_TYPES = ['COMPUTE_HOST', 'VM', 'PROCESS'] as const

export type NotificationType = (typeof NOTIFICATION_TYPES)[number]

/** What a monitor has seen, in the words of the notification that tells of it. Source: monitors.md 2.1 and 2.2. */
export type Report = HostReport | VmReport | ProcessReport

export interface HostReport extends ReportBase {
  readonly type: 'COMPUTE_HOST'
  readonly payload: {
    readonly event: 'STARTED' | 'STOPPED'
    readonly host_status: 'NORMAL' | 'UNKNOWN'
    /** The Kubernetes driver sends none. */
    readonly cluster_status?: 'ONLINE' | 'OFFLINE'
  }
}

export interface VmReport extends ReportBase {
  readonly type: 'VM'
  readonly payload: {
    readonly event: string
    readonly instance_uuid: string
    readonly vir_domain_event: string
  }
}

export interface ProcessReport extends ReportBase {
  readonly type: 'PROCESS'
  readonly payload: { readonly event: 'STOPPED'; readonly process_name: string }
}

interface ReportBase {
  /** The host as it is registered in its failover segment: {@link isHostName}. */
  readonly hostname: string
  /** When it was detected, in milliseconds since the Unix epoch. Retries keep it (SND-3). */
  readonly detectedAtMs: number
}

/** Whether the sender holds a report on disk, or for want of disk space only in memory. */
export interface Receipt {
  /** Sorts by time; it is the `Idempotency-Key` of the delivery. */
  readonly id: string
  readonly durable: boolean
}

/** Where monitors put what they see. */
export interface ReportSink {
  /**
   * Resolves as soon as the report cannot be lost by a crash any more (see {@link Receipt.durable}); delivery follows
   * in its own time (SND-7). Reports of one subject are taken in the order of the calls.
   *
   * @throws SpoolFullError, ShutdownError
   */
  accept(report: Report): Promise<Receipt>
  /** False while accepted reports are held in memory only. What a monitor knows must not be written down then. */
  readonly durable: boolean
}

/**
 * Whom a report is about. Order is kept per subject, and subjects do not wait for each other.
 *
 * Source: monitors.md 2.4.
 */
export function subjectOf({ type, hostname, payload }: Report): string {
  if (type === 'COMPUTE_HOST') return `host:${hostname}`
  if (type === 'VM') return `vm:${payload.instance_uuid}`
  return `proc:${hostname}/${payload.process_name}`
}

const HOST_NAME = /^[a-zA-Z0-9-._]{1,255}$/

/** Whether the API can take the name. Source: monitors.md SND-4. */
export function isHostName(text: string): boolean {
  return HOST_NAME.test(text)
}

/** What a payload has at least. Source: monitors.md 2.2. */
const NEEDED = {
  COMPUTE_HOST: ['event', 'host_status'],
  VM: ['event', 'instance_uuid', 'vir_domain_event'],
  PROCESS: ['event', 'process_name'],
} as const

/** Whether stored JSON has the form of a report's payload for that type; the API says the rest. */
export function isPayload(type: NotificationType, payload: JsonObject): boolean {
  return NEEDED[type].every((name) => typeof payload[name] === 'string')
}
