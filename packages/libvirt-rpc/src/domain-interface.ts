import { Limit } from './limits.ts'
import type { XdrReader } from './xdr-reader.ts'

/** `virDomainInterfaceAddressesSource`: who is asked for a guest's addresses. */
export const InterfaceSource = {
  /** The DHCP server of the virtual network. */
  LEASE: 0,
  /** The guest agent inside. */
  AGENT: 1,
  /** The host's ARP table. */
  ARP: 2,
} as const

/** `virIPAddrType`. */
export const AddressFamily = { IPV4: 0, IPV6: 1 } as const

export interface InterfaceAddress {
  /** One of `AddressFamily`. */
  readonly family: number
  readonly address: string
  /** Bits of the network's part. */
  readonly prefix: number
}

/** One network interface of a guest, by the name that the source has for it. */
export interface DomainInterface {
  readonly name: string
  readonly mac: string | undefined
  readonly addresses: readonly InterfaceAddress[]
}

export function readInterfaces(reader: XdrReader): DomainInterface[] {
  return reader.array(Limit.INTERFACES, (each) => ({
    name: each.string(),
    mac: each.optional((inner) => inner.string()),
    addresses: each.array(Limit.INTERFACE_ADDRESSES, (inner) => ({
      family: inner.i32(),
      address: inner.string(),
      prefix: inner.u32(),
    })),
  }))
}
