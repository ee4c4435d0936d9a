import type { MachineTags } from '../provider.ts'

const PREFIX = 'mainstay'
const SUFFIX = 'qcow2'

/**
 * The name of a machine's volume: libvirt keeps nothing else with a volume, so the tags are its name.
 *
 *     mainstay.<installation>.<pool>.<created, ms>.<vm>.qcow2        each part percent-encoded, dots as well
 */
export function volumeName({ installation, pool, createdAt, vmName }: MachineTags): string {
  return [PREFIX, encode(installation), encode(pool), String(createdAt), encode(vmName), SUFFIX].join('.')
}

/** Null for a volume that is not ours. */
export function readVolumeName(name: string): MachineTags | null {
  const parts = name.split('.')
  const [prefix, installation, pool, created, vmName, suffix] = parts
  if (parts.length !== 6 || prefix !== PREFIX || suffix !== SUFFIX) return null
  const texts = [installation, pool, vmName].map((part) => decode(part!))
  const createdAt = /^\d+$/.test(created!) ? Number(created) : Number.NaN
  if (texts.some((text) => text === null) || !Number.isSafeInteger(createdAt)) return null
  return { installation: texts[0]!, pool: texts[1]!, createdAt, vmName: texts[2]! }
}

function encode(text: string): string {
  return encodeURIComponent(text).replaceAll('.', '%2E')
}

function decode(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch (error) {
    if (error instanceof URIError) return null
    throw error
  }
}
