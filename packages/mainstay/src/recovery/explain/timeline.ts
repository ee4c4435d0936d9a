import type { RecordedEntry } from '../../journal/index.ts'

/** A phase of a recovery. */
export interface Phase {
  readonly phase: 'detect' | 'decide' | 'prove' | 'act' | 'confirm'
  /** When it began, in milliseconds since the Unix epoch. */
  readonly from: number
  /** How long it took, without what happened in between, in milliseconds; null while it lasts. */
  readonly lastedMs: number | null
  readonly text: string
}

/** Which phase an entry of the history belongs to, by the key that the workflows give it. */
export function phaseOf({ kind, key }: RecordedEntry): Phase['phase'] | undefined {
  if (kind === 'decision') return key.includes('/FenceHostTask/') ? 'prove' : 'decide'
  if (key.includes('/FenceHostTask/')) return 'prove'
  if (/\/(confirm|stopped)$|Confirm\w+Task/.test(key)) return 'confirm'
  if (/\/(list|look|hosts)$/.test(key)) return 'decide'
  if (kind === 'intent' || kind === 'outcome' || kind === 'failure') return 'act'
  return undefined
}

/**
 * When each phase of a recovery began and how long it took: what was slow is seen at a glance. Phases take turns, so a
 * moment is counted once: for the phase of the entry that it led to. Pauses between attempts belong to none.
 *
 * Source: goals.md, principle 14 ("publish the breakdown").
 *
 * @param generatedAt when the monitor saw the failure
 * @param acceptedAt when the report was stored
 */
export function timeline(
  history: readonly RecordedEntry[],
  { generatedAt, acceptedAt, ended }: { generatedAt: number; acceptedAt: number; ended: boolean },
): Phase[] {
  const phases: Phase[] = [
    {
      phase: 'detect',
      from: generatedAt,
      lastedMs: acceptedAt - generatedAt,
      text: 'seen by a monitor, reported and stored',
    },
  ]
  const spent = timeSpent(history, acceptedAt)
  for (const phase of ['decide', 'prove', 'act', 'confirm'] as const) {
    const entries = history.filter((entry) => phaseOf(entry) === phase)
    if (entries.length === 0) continue
    const from = phase === 'decide' ? acceptedAt : entries[0]!.at
    const open = !ended && isOpen(entries)
    phases.push({ phase, from, lastedMs: open ? null : (spent.get(phase) ?? 0), text: TEXTS[phase](entries) })
  }
  return phases
}

function timeSpent(history: readonly RecordedEntry[], acceptedAt: number): Map<Phase['phase'], number> {
  const spent = new Map<Phase['phase'], number>()
  let since = acceptedAt
  for (const entry of history) {
    if (entry.kind === 'timer') since = Math.max(since, entry.data.until)
    const phase = phaseOf(entry)
    if (phase === undefined) continue
    spent.set(phase, (spent.get(phase) ?? 0) + Math.max(0, entry.at - since))
    since = Math.max(since, entry.at)
  }
  return spent
}

const TEXTS: Readonly<Record<'decide' | 'prove' | 'act' | 'confirm', (entries: readonly RecordedEntry[]) => string>> = {
  decide: (entries) => `${count(entries, 'decision')} decisions`,
  prove: (entries) => (entries.some(isPersonsWord) ? 'proof of death, with a person’s help' : 'proof of death'),
  act: (entries) => `${count(entries, 'outcome')} acts done, ${finalFailures(entries)} failed`,
  confirm: (entries) => `${count(entries, 'outcome')} confirmed, ${finalFailures(entries)} not`,
}

/** A wait that ends by itself has a signal without a name. */
function isPersonsWord(entry: RecordedEntry): boolean {
  return entry.kind === 'signal' && entry.data.name !== null
}

function count(entries: readonly RecordedEntry[], wanted: RecordedEntry['kind']): number {
  return entries.filter(({ kind }) => kind === wanted).length
}

function finalFailures(entries: readonly RecordedEntry[]): number {
  return entries.filter((entry) => entry.kind === 'failure' && entry.data.retryAt === null).length
}

function isOpen(entries: readonly RecordedEntry[]): boolean {
  const last = new Map(entries.map(({ key, kind }) => [key, kind]))
  return [...last.values()].some((kind) => kind === 'intent' || kind === 'wait')
}
