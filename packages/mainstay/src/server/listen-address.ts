import { BlockList, isIP } from 'node:net'

import { InvalidInputError } from '../core/errors.ts'
import { inheritedSocket, type ListenAddress } from '../http/index.ts'
import type { Config } from './config/schema.ts'

/**
 * Where to serve: the socket that this process was started with, or the configured address.
 *
 * @throws InvalidInputError when the address is none, or would let anybody in unasked
 */
export function listenAddress({ server, auth }: Config): ListenAddress {
  const inherited = inheritedSocket(process.env, process.pid)
  if (inherited !== undefined) return inherited
  const { listen: text } = server
  if (text.startsWith('unix:')) return { path: text.slice('unix:'.length) }
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:]+)):(\d{1,5})$/i.exec(text)
  const port = Number(match?.[3])
  if (match === null || port > 65_535) {
    throw new InvalidInputError(`server.listen "${text}" is no address: give host:port, [IPv6]:port or unix:<path>.`)
  }
  const host = match[1] ?? match[2]!
  if (!isLoopback(host) && auth.strategy === 'noauth2' && !server.insecure_no_auth) {
    throw new InvalidInputError(
      `Listening on ${host} would let everybody who reaches it do everything, because nobody is asked who they are. ` +
        `Listen on 127.0.0.1, set auth.strategy to keystone, or say --insecure-no-auth.`,
    )
  }
  return { host, port }
}

function isLoopback(host: string): boolean {
  if (host === 'localhost') return true
  const family = isIP(host)
  if (family === 0) return false
  const loopback = new BlockList()
  loopback.addSubnet('127.0.0.0', 8, 'ipv4')
  loopback.addAddress('::1', 'ipv6')
  return loopback.check(host, family === 4 ? 'ipv4' : 'ipv6')
}
