import { single } from '../../http/authenticate.ts'
import type { Exchange } from '../../http/exchange.ts'
import type { HaOptions } from '../options.ts'

/** What links of the version documents begin with: scheme and host, without a slash at the end. Source: ha-api.md 2. */
export function linkBase(exchange: Exchange, { linkPrefix, believeForwarded }: HaOptions): string {
  if (linkPrefix !== null) return linkPrefix.replace(/\/+$/, '')
  const { headers } = exchange
  const forwarded = believeForwarded ? single(headers['x-forwarded-proto']) : null
  const forwardedHost = believeForwarded ? single(headers['x-forwarded-host']) : null
  const forwardedPrefix = believeForwarded ? single(headers['x-forwarded-prefix']) : null
  const host = first(forwardedHost) ?? headers.host ?? exchange.localAddress
  return `${first(forwarded) ?? exchange.scheme}://${host}${first(forwardedPrefix)?.replace(/\/+$/, '') ?? ''}`
}

/** The caller's address: the peer's, or what a proxy says where that is believed. Source: ha-api.md 4.1. */
export function forwardedAddress(exchange: Exchange, { useForwardedFor }: HaOptions): string | null {
  const header = useForwardedFor ? single(exchange.headers['x-forwarded-for']) : null
  return header ?? exchange.remoteAddress
}

function first(list: string | null): string | null {
  return list?.split(',', 1)[0]?.trim() ?? null
}
