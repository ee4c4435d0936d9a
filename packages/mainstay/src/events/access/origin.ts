import { BlockList } from 'node:net'

/** Where a browser's page may come from. */
export interface OriginRule {
  /** Exact origins: scheme, host, port as browsers write them. */
  readonly allowed: readonly string[]
  /** Address and port that the connection came in on, and whether through TLS. */
  readonly local: { readonly address: string | undefined; readonly port: number | undefined; readonly secure: boolean }
}

/**
 * Whether a page of this origin may open a stream: one that is allowed by name, or one that this server serves itself.
 * The `Host` header decides nothing, because a page of a stranger can have any name that resolves to this machine.
 *
 * Source: event-stream.md R29.
 */
export function isOriginAllowed(origin: string, { allowed, local }: OriginRule): boolean {
  return allowed.includes(origin) || ownOrigins(local).includes(origin)
}

function ownOrigins({ address, port, secure }: OriginRule['local']): string[] {
  if (address === undefined || port === undefined) return []
  const plain = address.replace(/^::ffff:/i, '')
  const hosts = [plain.includes(':') ? `[${plain}]` : plain, ...(isLoopback(plain) ? ['localhost'] : [])]
  const scheme = secure ? 'https' : 'http'
  const usual = secure ? 443 : 80
  return hosts.map((host) => `${scheme}://${host}${port === usual ? '' : `:${port}`}`)
}

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

function isLoopback(address: string): boolean {
  return loopback.check(address, address.includes(':') ? 'ipv6' : 'ipv4')
}
