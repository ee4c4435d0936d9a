import { isIP } from 'node:net'

import { InvalidInputError } from '../core/errors.ts'

/**
 * The address of a machine that somebody names. Names of hosts are none: they are looked up anew each time and lead elsewhere
 * one day, and checks and workers go where the record says.
 *
 * Source: vm-pool.md A8 (a syntactically valid IPv4 or IPv6 address).
 *
 * @throws InvalidInputError
 */
export function requireAddress(text: string): string {
  if (isIP(text) !== 0) return text
  throw new InvalidInputError(
    `"${text}" is not an address. Write one of IPv4 or IPv6, for example 192.0.2.7 or 2001:db8::7.`,
  )
}
