/** The field of a group's info with the start of its last spawn (vm-pool.md A3). */
export const LAST_SPAWN = 'last_vm_spawn_start'

/** A time as part A stores it: unix seconds as text. */
export function secondsText(ms: number): string {
  return (ms / 1000).toFixed(3)
}

/** The time in milliseconds; null for what is absent or no number. */
export function parseSeconds(text: string | null | undefined): number | null {
  if (text === null || text === undefined || text.trim() === '') return null
  const seconds = Number(text)
  return Number.isFinite(seconds) ? Math.round(seconds * 1000) : null
}
