import { BlockList, isIP } from 'node:net'

import { InvalidInputError } from '../../core/errors.ts'

/**
 * Addresses that a webhook is not sent to, because what answers there trusts whoever reaches it: our own machine and
 * its neighbours, the metadata services of clouds, and what is no single public host.
 *
 * Source: event-stream.md R39; the ranges are those of the IANA special-purpose registries.
 */
const REFUSED_IPV4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/3',
] as const

/** Everything but global unicast, and of that what is for documentation, tunnels and translation. */
const REFUSED_IPV6 = ['::/3', '2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20', '4000::/2', '8000::/1'] as const

export interface TargetRules {
  /** Whether a webhook may be sent to an IP address, as it was resolved. */
  allows(address: string): boolean
}

/**
 * The rules of where webhooks go.
 *
 * @param allowed ranges such as `10.1.0.0/16`, or single addresses, that are allowed although they are refused otherwise
 * @throws InvalidInputError when one of them is no range
 */
export function targetRules(allowed: readonly string[] = []): TargetRules {
  // One list for each family: a list with both holds IPv4 against the ranges of IPv6 too, as mapped addresses.
  const refused = { ipv4: blockList(REFUSED_IPV4), ipv6: blockList(REFUSED_IPV6) }
  const exceptions = {
    ipv4: blockList(allowed.filter((range) => !range.includes(':'))),
    ipv6: blockList(allowed.filter((range) => range.includes(':'))),
  }
  return {
    allows: (address) => {
      const plain = unmapped(address)
      const family = isIP(plain)
      if (family === 0) return false
      const kind = family === 4 ? 'ipv4' : 'ipv6'
      return exceptions[kind].check(plain, kind) || !refused[kind].check(plain, kind)
    },
  }
}

/**
 * Reads the address that a webhook is sent to.
 *
 * A host that is written as an IP address is judged here; a name is judged when it was resolved, each time anew.
 *
 * @throws InvalidInputError
 */
export function parseTarget(text: string, rules: TargetRules): URL {
  const url = URL.parse(text)
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new InvalidInputError(`The url of a webhook must be a http or https address, not "${text}".`)
  }
  if (url.username !== '' || url.password !== '') {
    throw new InvalidInputError('The url of a webhook must hold no user or password: the signature says who sends.')
  }
  const host = hostOf(url)
  if (isIP(host) !== 0 && !rules.allows(host)) throw new InvalidInputError(refusal(host))
  return url
}

/** The host of a URL as DNS and sockets take it. */
export function hostOf({ hostname }: URL): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname
}

/** Why a target is refused, and what to do. */
export function refusal(address: string): string {
  return (
    `Webhooks are not sent to ${address}: it is a private, link-local or reserved address. ` +
    'If that is where they belong, add it to events.webhooks.allowed_networks.'
  )
}

/** An IPv4 address in the clothes of IPv6 is judged as what it is. */
function unmapped(address: string): string {
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i.exec(address) ?? []
  if (high !== undefined && low !== undefined) {
    const [a, b] = [Number.parseInt(high, 16), Number.parseInt(low, 16)]
    return [a >> 8, a & 0xff, b >> 8, b & 0xff].join('.')
  }
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1] ?? address
}

function blockList(ranges: readonly string[]): BlockList {
  const list = new BlockList()
  for (const range of ranges) {
    const [address = '', bits] = range.split('/')
    const family = isIP(address)
    const most = family === 4 ? 32 : 128
    const prefix = bits === undefined ? most : /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN
    if (family === 0 || !(prefix <= most)) {
      throw new InvalidInputError(`"${range}" is no range of addresses; write it as 10.1.0.0/16 or fd00::/8.`)
    }
    list.addSubnet(address, prefix, family === 4 ? 'ipv4' : 'ipv6')
  }
  return list
}
