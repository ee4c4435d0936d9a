/** A member of a notification's payload that should be a text; empty when it is missing or something else. */
export function payloadText(payload: Readonly<Record<string, unknown>>, member: string): string {
  const value = payload[member]
  return typeof value === 'string' ? value : ''
}
