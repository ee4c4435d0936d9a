import type { Clock } from '../../../core/clock.ts'
import type { Ids } from '../../../core/ids.ts'

/**
 * How a guest's address is learned.
 *
 * - `lease`: the DHCP server of its virtual network
 * - `agent`: the guest agent inside
 * - `arp`: the host's ARP table
 * - `static`: the first of these that no guest of ours has; the template tells it to the guest as `${MAINSTAY_VM_IP}`
 * - `metadata`: whoever sets the guest up writes it: `virsh metadata GUEST https://mainstay.dev/ns/address/1 --key address
 *   --set '<address>192.0.2.7</address>'`
 */
export type AddressRule =
  | { readonly rule: 'lease' | 'agent' | 'arp'; readonly family?: 'ipv4' | 'ipv6' }
  | { readonly rule: 'static'; readonly addresses: readonly string[] }
  | { readonly rule: 'metadata' }

export interface LibvirtTemplate {
  /**
   * A domain as `virsh dumpxml` prints it. Its name, UUID, network cards' addresses and first disk are replaced for each guest;
   * `${MAINSTAY_…}` in it stands for the variables of a command provider's create hook.
   */
  readonly xml: string
  /** Every guest gets a volume of its own over this one; null for guests without a disk of their own. */
  readonly disk: {
    /** The storage pool for the new volumes. */
    readonly pool: string
    /** The path of the qcow2 image underneath, which must not change while guests use it. */
    readonly basePath: string
    /** The format of the image underneath. */
    readonly baseFormat?: 'qcow2' | 'raw'
    /** Room for the guest, in MiB. At least the size of the image underneath. */
    readonly sizeMib: number
  } | null
  readonly address: AddressRule
}

export interface LibvirtProviderSettings {
  /** The most machines that it makes; 0 is no limit. */
  readonly maxMachines: number
  /** The longest that connecting may take, also after libvirtd was restarted. */
  readonly connectTimeoutMs: number
  /** The longest that libvirtd may take to answer a question. */
  readonly askTimeoutMs: number
  /** The longest that it may take to make, start or destroy one thing. */
  readonly actTimeoutMs: number
  /** The longest from the request to an address. */
  readonly createTimeoutMs: number
  /** How often a guest without an address is looked at. */
  readonly pollMs: number
  /** How long a guest that is to stand by may take to stop by itself before its plug is pulled; 0 pulls it at once. */
  readonly gracefulStopMs: number
}

export const DEFAULT_LIBVIRT_PROVIDER_SETTINGS: LibvirtProviderSettings = {
  maxMachines: 0,
  connectTimeoutMs: 5_000,
  askTimeoutMs: 10_000,
  actTimeoutMs: 120_000,
  createTimeoutMs: 600_000,
  pollMs: 500,
  gracefulStopMs: 30_000,
}

export interface LibvirtProviderOptions {
  readonly name: string
  readonly installation: string
  readonly clock: Clock
  readonly ids: Ids
  /** The read-write socket of libvirtd, or the end of a tunnel to it. */
  readonly socketPath: string
  /** The driver; default `qemu:///system`. */
  readonly uri?: string | undefined
  /** By the name that a label gives in `profile.template`; `default` where it gives none. */
  readonly templates: Readonly<Record<string, LibvirtTemplate>>
  readonly settings?: Partial<LibvirtProviderSettings>
}
