import type { InstanceMove } from '../../compute/index.ts'

export type MoveVerdict =
  /** Nobody has begun to restart the guest elsewhere, or it came to nothing. */
  | { readonly act: 'begin' }
  /** A restart is under way. Its owner may have died, so it is asked for again, as the same act. */
  | { readonly act: 'carry on'; readonly key: string; readonly target: string | null }
  /** The guest has left the host already: whether it runs is only to be looked at. */
  | { readonly act: 'wait'; readonly target: string | null }

/**
 * What is to be done about a guest of a dead host, in view of the restarts elsewhere that the platform remembers. Pure.
 *
 * A restart is never asked for a second time under another key: the first one may be under way, or may have happened
 * although its answer never came. Nor is one that is under way taken for done: on some platforms it ends only when the
 * one who asked goes on with it.
 *
 * @param moves of the guest, newest first
 * @param source the dead host
 * @param sinceMs when this recovery began, in milliseconds since the Unix epoch: what ended before is history
 *
 * Source: goals.md, safety principle 6.
 */
export function judgeMove(
  moves: readonly InstanceMove[],
  { source, sinceMs }: { source: string; sinceMs: number },
): MoveVerdict {
  const [latest] = moves
  if (latest === undefined) return { act: 'begin' }
  const { key, target } = latest
  if (latest.source !== source) {
    const left = moves.some((move) => move.source === source && move.startedAt >= sinceMs)
    return left ? { act: 'wait', target } : { act: 'begin' }
  }
  if (latest.state === 'running') return { act: 'carry on', key, target }
  return latest.state === 'done' && latest.startedAt >= sinceMs ? { act: 'wait', target } : { act: 'begin' }
}
