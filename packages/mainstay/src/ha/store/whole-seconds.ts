/** `created_at` and `updated_at` are kept in whole seconds, as clients and sorting expect. Source: ha-api.md 23. */
export function wholeSeconds(ms: number): number {
  return Math.floor(ms / 1000) * 1000
}
