import type { CallOptions } from './call-options.ts'

/** `virNodeInfo`. */
export interface NodeInfo {
  readonly model: string
  readonly memoryKiB: number
  readonly cpus: number
  readonly mhz: number
  readonly numaNodes: number
  readonly socketsPerNode: number
  readonly coresPerSocket: number
  readonly threadsPerCore: number
}

/** Calls about the host. They reject as `DomainCalls` do. */
export interface HostCalls {
  getHostname(options?: CallOptions): Promise<string>
  /** Version of libvirt on the server: major * 1,000,000 + minor * 1,000 + release. */
  getLibVersion(options?: CallOptions): Promise<number>
  /** Version of the hypervisor, in the same form. */
  getVersion(options?: CallOptions): Promise<number>
  /** The URI that the server opened, e.g. `qemu:///system`. */
  getUri(options?: CallOptions): Promise<string>
  /** The host's capabilities as XML. */
  getCapabilities(options?: CallOptions): Promise<string>
  getNodeInfo(options?: CallOptions): Promise<NodeInfo>
  getFreeMemoryBytes(options?: CallOptions): Promise<bigint>
  /**
   * What all processors of the host together have spent since it booted, in nanoseconds, by what they did it on: `kernel`,
   * `user`, `idle`, `iowait` on Linux. A sum that is less than an earlier one shows that the host has booted in between.
   */
  getNodeCpuStats(options?: CallOptions): Promise<ReadonlyMap<string, bigint>>
}
