/**
 * A UUID in the spelling in which guests are looked up: lower case with dashes. Reports may write it without dashes, in
 * braces, as a URN, in any case.
 *
 * Source: ha-api.md 5.4 (uuid-like), 8.2.
 *
 * @returns the text in lower case when it is no UUID at all
 */
export function dashedUuid(text: string): string {
  const lower = text.toLowerCase()
  const digits = lower.replace('urn:', '').replace('uuid:', '').replaceAll(/[{}-]/g, '')
  if (!/^[0-9a-f]{32}$/.test(digits)) return lower
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
