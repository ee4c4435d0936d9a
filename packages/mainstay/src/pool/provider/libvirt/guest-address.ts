import { isIP, isIPv6 } from 'node:net'

import { AddressFamily, InterfaceSource, type DomainInterface } from '@mainstay/libvirt-rpc'

import type { AddressRule } from './options.ts'

export const SOURCE_OF_RULE = {
  lease: InterfaceSource.LEASE,
  agent: InterfaceSource.AGENT,
  arp: InterfaceSource.ARP,
} as const

/** The address by which a guest is reached: the first of the wanted family that is not only for itself or its link. */
export function usableAddress(interfaces: readonly DomainInterface[], family: 'ipv4' | 'ipv6' = 'ipv4'): string | null {
  const wanted = family === 'ipv4' ? AddressFamily.IPV4 : AddressFamily.IPV6
  const all = interfaces.flatMap(({ addresses }) => addresses)
  const found = all.find(({ family: kind, address }) => kind === wanted && isIP(address) !== 0 && isRoutable(address))
  return found?.address ?? null
}

/** The first address of a static rule that no guest has; null when all are taken. */
export function freeAddress(
  { addresses }: Extract<AddressRule, { rule: 'static' }>,
  taken: ReadonlySet<string>,
): string | null {
  return addresses.find((address) => !taken.has(address)) ?? null
}

function isRoutable(address: string): boolean {
  if (isIPv6(address)) return !/^(?:::1?$|fe[89ab])/i.test(address)
  return !/^(?:127\.|169\.254\.|0\.)/.test(address)
}
