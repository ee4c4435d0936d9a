import type { Dictionary } from './placeholders.ts'

const secretName = /pass|secret|token|key/i
const mask = '***'

/**
 * Hides secrets in a text for people: the values of dictionary entries whose key sounds secret, whatever stands after
 * such a key in the text itself, and passwords in URLs. Source: testkit.md A3.1.
 */
export function maskSecrets(text: string, dictionary: Dictionary): string {
  let masked = text
  for (const secret of secretValues(dictionary)) masked = masked.replaceAll(secret, mask)
  return masked
    .replaceAll(/^([ \t"']*[\w.-]*(?:pass|secret|token|key)[\w.-]*["']?[ \t]*[:=][ \t]*)(\S[^\n]*)$/gim, `$1${mask}`)
    .replaceAll(/([a-z][a-z0-9+.-]*:\/\/[^\s:/@]*):[^\s/@]+@/gi, `$1:${mask}@`)
}

/** Very short values are left to the rule by name: hiding every "1" of a text would hide the text. */
function secretValues(dictionary: Dictionary): string[] {
  return Object.entries(dictionary)
    .flatMap(([key, value]) => {
      if (typeof value === 'object' && value !== null) return secretValues(value as Dictionary)
      return typeof value === 'string' && value.length >= 4 && secretName.test(key) ? [value] : []
    })
    .sort((a, b) => b.length - a.length)
}
