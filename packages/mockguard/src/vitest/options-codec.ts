import type { MockguardOptions } from '../guard/options.ts'

/** Options on their way from the configuration to a worker: patterns become plain data. */
export interface EncodedOptions {
  readonly json: string
  readonly spool: string | null
  /** The guard as one file, if there is one. */
  readonly guard: string | null
}

export function encodeOptions(
  options: MockguardOptions,
  places: { spool: string | null; guard: string | null },
): EncodedOptions {
  const json = JSON.stringify(options, (_key, value: unknown) => {
    return value instanceof RegExp ? { $pattern: value.source, $flags: value.flags } : value
  })
  return { json, ...places }
}

export function decodeOptions(encoded: EncodedOptions | undefined): MockguardOptions {
  if (!encoded) return {}
  return JSON.parse(encoded.json, (_key, value: unknown) => {
    if (typeof value !== 'object' || value === null || !('$pattern' in value)) return value
    const { $pattern, $flags } = value as unknown as { $pattern: string; $flags: string }
    return new RegExp($pattern, $flags)
  }) as MockguardOptions
}
