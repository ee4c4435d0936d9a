/**
 * Whether a machine has failed so many checks in a row that it is thrown away, in use or not. Exactly at the limit it is
 * kept: with the default of 2 the third failure ends it.
 *
 * Source: vm-pool.md A9.
 */
export function tooManyCheckFails(checkFails: number | null, maxCheckFails: number): boolean {
  return (checkFails ?? 0) > maxCheckFails
}
