import type { InstanceState } from '../../compute/index.ts'

/** What became of one guest of a dead host, in the end. */
export interface GuestOutcome {
  readonly name: string
  /** What it was when this recovery first saw it. */
  readonly was: InstanceState
  /** What it was seen to be on its new host, or null when it was not brought there. */
  readonly is: InstanceState | null
  /** Why it was not brought there, or null. */
  readonly error: string | null
}

/**
 * What is said of a recovery that brought every guest over: how many were seen running, and by name those that are not,
 * with the reason.
 */
export function evacuatedText(source: string, guests: readonly GuestOutcome[]): string {
  const running = guests.filter(({ is }) => is === 'active')
  const others = guests.filter(({ is }) => is !== 'active')
  const text = `${running.length} guests of host ${source} run elsewhere`
  if (others.length === 0) return text
  const list = others.map(({ name, was, is }) => `${name} (was ${was}, is ${is ?? 'unknown'})`).join(', ')
  return `${text}; ${others.length} were moved and do not run, as before: ${list}`
}

/** What is said of one that did not. */
export function notEvacuatedText(guests: readonly GuestOutcome[]): string {
  const failed = guests.filter(({ error }) => error !== null)
  const list = failed.map(({ name, error }) => `${name} (${error})`).join(', ')
  return `${failed.length} of ${guests.length} guests could not be evacuated: ${list}`
}
