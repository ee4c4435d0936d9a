import { isIP, isIPv4 } from 'node:net'

import { InvalidInputError } from '../../../core/errors.ts'

/** More would be a mistake of the person who wrote the range. */
const MOST = 65_536

/**
 * Addresses one by one: `192.0.2.7`, `2001:db8::7`, or a range of IPv4 `192.0.2.10-192.0.2.20`, both ends included.
 *
 * @throws InvalidInputError
 */
export function expandAddresses(texts: readonly string[]): string[] {
  return texts.flatMap((text) => {
    if (isIP(text) !== 0) return [text]
    const [first, last, ...more] = text.split('-').map((part) => part.trim())
    if (first === undefined || last === undefined || more.length > 0 || !isIPv4(first) || !isIPv4(last)) {
      throw new InvalidInputError(`"${text}" is neither an address nor a range such as 192.0.2.10-192.0.2.20.`)
    }
    const [from, to] = [numberOf(first), numberOf(last)]
    if (to < from || to - from >= MOST) {
      throw new InvalidInputError(`The range ${text} is empty or has more than ${MOST} addresses.`)
    }
    return Array.from({ length: to - from + 1 }, (_, index) => addressOf(from + index))
  })
}

function numberOf(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
}

function addressOf(number: number): string {
  return [24, 16, 8, 0].map((bits) => Math.floor(number / 2 ** bits) % 256).join('.')
}
