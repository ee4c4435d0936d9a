import type { CallOptions, FlagOptions } from './call-options.ts'
import type { Domain, DomainRef } from './domain.ts'
import type { DomainInterface } from './domain-interface.ts'
import type { DomainStateAndReason } from './domain-state.ts'
import type { TypedParameters } from './typed-parameter.ts'

/** `virDomainInfo`. */
export interface DomainInfo {
  /** One of `DomainState`. */
  readonly state: number
  readonly maxMemoryKiB: number
  readonly memoryKiB: number
  readonly vcpus: number
  readonly cpuTimeNs: bigint
}

export interface MetadataOptions extends FlagOptions {
  /** One of `DomainMetadataType`. */
  readonly type: number
  /** The XML namespace of the element; needed for `ELEMENT` only. */
  readonly uri?: string
}

export interface SetMetadataOptions extends MetadataOptions {
  /** The text, or the XML element; `undefined` removes it. */
  readonly value: string | undefined
  /** The namespace prefix to write; needed for `ELEMENT` only. */
  readonly key?: string
}

export interface DomainStats {
  readonly domain: Domain
  /** Names as in virsh domstats, e.g. `state.state`, `balloon.current`. */
  readonly stats: TypedParameters
}

/**
 * Calls about domains. Every one rejects with `LibvirtError` when the server refuses, with `LibvirtTimeoutError`, with
 * `LibvirtDisconnectedError`, or with the reason of its signal.
 */
export interface DomainCalls {
  /** All domains, or those that the flags (`DomainListFlag`) select. */
  listAllDomains(options?: FlagOptions): Promise<Domain[]>
  /** Rejects with `NO_DOMAIN`. */
  lookupByName(name: string, options?: CallOptions): Promise<Domain>
  /** Rejects with `NO_DOMAIN`. */
  lookupByUuid(uuid: string, options?: CallOptions): Promise<Domain>
  getState(domain: DomainRef, options?: CallOptions): Promise<DomainStateAndReason>
  getInfo(domain: DomainRef, options?: CallOptions): Promise<DomainInfo>
  /** Flags: `DomainXmlFlag`. */
  getXml(domain: DomainRef, options?: FlagOptions): Promise<string>
  /** Writes a persistent definition; starts nothing. Flags: `DomainDefineFlag`. */
  defineXml(xml: string, options?: FlagOptions): Promise<Domain>
  /** Flags: `DomainUndefineFlag`. A running domain becomes transient. */
  undefine(domain: DomainRef, options?: FlagOptions): Promise<void>
  /** Starts a defined domain. Flags: `DomainStartFlag`. Rejects with `OPERATION_INVALID` when it runs already. */
  create(domain: DomainRef, options?: FlagOptions): Promise<Domain>
  /** Starts a transient domain. Flags: `DomainStartFlag`. */
  createXml(xml: string, options?: FlagOptions): Promise<Domain>
  /** Pulls the plug. Flags: `DomainDestroyFlag`. Rejects with `OPERATION_INVALID` when it does not run. */
  destroy(domain: DomainRef, options?: FlagOptions): Promise<void>
  /** Asks the guest to power off and returns at once. Flags: `DomainShutdownFlag`. */
  shutdown(domain: DomainRef, options?: FlagOptions): Promise<void>
  /** Asks the guest to reboot. Flags: `DomainShutdownFlag`. */
  reboot(domain: DomainRef, options?: FlagOptions): Promise<void>
  /** Presses the reset button. */
  reset(domain: DomainRef, options?: CallOptions): Promise<void>
  suspend(domain: DomainRef, options?: CallOptions): Promise<void>
  resume(domain: DomainRef, options?: CallOptions): Promise<void>
  getAutostart(domain: DomainRef, options?: CallOptions): Promise<boolean>
  setAutostart(domain: DomainRef, autostart: boolean, options?: CallOptions): Promise<void>
  isPersistent(domain: DomainRef, options?: CallOptions): Promise<boolean>
  /** Flags: `DomainAffect`. Rejects with `NO_DOMAIN_METADATA` when there is none. */
  getMetadata(domain: DomainRef, options: MetadataOptions): Promise<string>
  /** Flags: `DomainAffect`. */
  setMetadata(domain: DomainRef, options: SetMetadataOptions): Promise<void>
  /** A guest's addresses, as one `InterfaceSource` knows them. Rejects with `OPERATION_INVALID` when it does not run. */
  interfaceAddresses(domain: DomainRef, options: CallOptions & { readonly source: number }): Promise<DomainInterface[]>
  /**
   * Figures of many domains in one call; all domains when `domains` is empty.
   * `groups`: bits of `DomainStatsGroup`, 0 for all. Flags: `DomainListFlag`.
   */
  getAllDomainStats(options?: FlagOptions & { domains?: readonly DomainRef[]; groups?: number }): Promise<DomainStats[]>
}
