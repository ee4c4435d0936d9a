const TRUE_WORDS = new Set(['1', 't', 'true', 'on', 'y', 'yes'])

/**
 * Whether a guest carries the mark that asks for HA. Unknown text is no mark.
 *
 * Source: ha-api.md 12.4, step 2.
 */
export function hasHaMark(metadata: Readonly<Record<string, string>>, key: string): boolean {
  return TRUE_WORDS.has((metadata[key] ?? '').trim().toLowerCase())
}
