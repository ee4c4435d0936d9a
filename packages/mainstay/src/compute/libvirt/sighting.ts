import type { HostName } from '../compute.ts'

/** What is known of a guest's place when a host shows that it has the guest. */
export interface Sighting {
  /** Where it was seen. */
  readonly host: HostName
  /**
   * What it does there. A process that does not execute is a guest that is paused, or that is just arriving by live
   * migration.
   */
  readonly here: 'no-process' | 'idle' | 'executes'
  /** Where the inventory says it is, or undefined when it is new. */
  readonly recordedHost: HostName | undefined
  /** Whether it was restarted elsewhere because this host was dead. */
  readonly movedAway: boolean
  /** Whether that restart has not ended yet: should its target refuse the guest, it belongs here again. */
  readonly moving: boolean
  /** What the recorded host says of it now, when that is another. */
  readonly atRecordedHost: 'executes' | 'idle' | 'unreachable'
}

export type SightingVerdict =
  /** Write down that it is here. */
  | { readonly do: 'record' }
  /** Its place is here now: it was migrated. */
  | { readonly do: 'adopt' }
  /** What is left here of a guest that was restarted elsewhere, not running: take it away. */
  | { readonly do: 'undefine' }
  | { readonly do: 'ignore' }
  /** It may run twice. A person must look; nothing is done, for both copies may hold data. */
  | { readonly do: 'alarm'; readonly because: string }

/**
 * What a host's showing that it has a guest means. Pure.
 *
 * Invariant: nothing that has a process is ever taken away.
 */
export function judgeSighting(sighting: Sighting): SightingVerdict {
  const { host, here, recordedHost, movedAway, moving, atRecordedHost } = sighting
  if (recordedHost === undefined || recordedHost === host) return { do: 'record' }
  if (movedAway) {
    if (here === 'no-process') return { do: moving ? 'ignore' : 'undefine' }
    const there = {
      executes: `and on host ${recordedHost}, where it was restarted`,
      idle: `although it was restarted on host ${recordedHost}, where it does not run now`,
      unreachable: `although it was restarted on host ${recordedHost}, which does not answer`,
    }[atRecordedHost]
    return { do: 'alarm', because: `it runs on host ${host}, which had been proved dead, ${there}` }
  }
  if (here !== 'executes') return { do: 'ignore' }
  if (atRecordedHost === 'idle') return { do: 'adopt' }
  const there = atRecordedHost === 'executes' ? 'too' : 'when it was last seen, and that host does not answer'
  return { do: 'alarm', because: `it runs on host ${host}, and ran on host ${recordedHost} ${there}` }
}
