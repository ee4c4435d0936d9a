import type { CallOptions, FlagOptions } from './call-options.ts'
import type { DomainRef } from './domain.ts'

/** Values of `agentTimeoutS` beside a number of seconds. */
export const AgentTimeout = {
  /** Wait as long as it takes. */
  BLOCK: -2,
  /** libvirt's own default (5 s). */
  DEFAULT: -1,
  /** Do not wait for an answer at all. */
  NOWAIT: 0,
} as const

export interface AgentCommandOptions extends FlagOptions {
  /** How long libvirtd waits for the guest, in s; default `AgentTimeout.DEFAULT`. */
  readonly agentTimeoutS?: number
}

/** Calls that only the QEMU driver has. They reject as `DomainCalls` do. */
export interface QemuCalls {
  /**
   * Sends one JSON command to the guest agent and returns its JSON answer (`undefined` for a command without one).
   * Rejects with `AGENT_UNRESPONSIVE`, and with `OPERATION_DENIED` on a read-only connection (monitors.md 7.6).
   */
  agentCommand(domain: DomainRef, command: string, options?: AgentCommandOptions): Promise<string | undefined>
  /** Sends one QMP command (JSON) to QEMU's monitor and returns its JSON answer. For experiments and tests. */
  monitorCommand(domain: DomainRef, command: string, options?: CallOptions): Promise<string>
}
