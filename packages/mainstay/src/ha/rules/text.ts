/** The text rules of request bodies. Source: ha-api.md 5.4. */

const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/u
const BEYOND_BMP = /[\u{10000}-\u{10ffff}]/u

/** Printable characters of the basic plane, the first and last of them no white space. */
export function isName(text: string): boolean {
  return isPrintable(text) && text === text.trim()
}

/** Printable characters of the basic plane, and line feeds. */
export function isDescription(text: string): boolean {
  return isPrintable(text.replaceAll('\n', ''))
}

function isPrintable(text: string): boolean {
  return !UNPRINTABLE.test(text) && !BEYOND_BMP.test(text)
}

/** Whether a text looks like a UUID in any of its spellings: undashed, in braces, as a URN, in any case. */
export function isUuidLike(text: string): boolean {
  const digits = text
    .toLowerCase()
    .replace('urn:', '')
    .replace('uuid:', '')
    .replace(/^[{}]+|[{}]+$/g, '')
    .replaceAll('-', '')
  return /^[0-9a-f]{32}$/.test(digits)
}
