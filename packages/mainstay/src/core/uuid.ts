import { unpredictableBytes } from './random.ts'

/** A random UUID (RFC 9562 version 4), also in a page that came without TLS, where browsers have no `crypto.randomUUID`. */
export function randomUuid(): string {
  const hex = Array.from(unpredictableBytes(16), (byte) => byte.toString(16).padStart(2, '0')).join('')
  return uuidOf(hex, '4')
}

/**
 * Puts the version and variant bits where RFC 9562 wants them.
 *
 * @param hex 32 hexadecimal digits
 */
export function uuidOf(hex: string, version: '4' | '7'): string {
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 0x3) | 0x8).toString(16)
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    version + hex.slice(13, 16),
    variant + hex.slice(17, 20),
    hex.slice(20, 32),
  ].join('-')
}
