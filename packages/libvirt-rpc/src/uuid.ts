import { LibvirtArgumentError } from './errors.ts'

/** 16 bytes as a lower-case UUID with hyphens. */
export function formatUuid(bytes: Buffer): string {
  const hex = bytes.toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`
}

/** The 16 bytes of a UUID, with or without hyphens. Throws `LibvirtArgumentError` for anything else. */
export function parseUuid(text: string): Buffer {
  const hex = text.replaceAll('-', '')
  if (!/^[0-9a-f]{32}$/i.test(hex)) throw new LibvirtArgumentError(`"${text}" is not a UUID.`)
  return Buffer.from(hex, 'hex')
}
