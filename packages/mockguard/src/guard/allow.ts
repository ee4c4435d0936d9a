import type { Finding } from '../report/finding.ts'
import type { AllowEntry } from './options.ts'

/** What the allow list says about one finding. */
export type Verdict =
  | { readonly allowed: true; readonly entry: AllowEntry }
  | { readonly allowed: false; readonly note?: string }

/**
 * The allow list of one run. Every entry has a reason; one that has expired no longer allows, and says so; one that never
 * matched is told to the user, so that the list shrinks (testkit.md B6).
 */
export class AllowList {
  readonly #entries: readonly AllowEntry[]
  readonly #used = new Set<AllowEntry>()
  readonly #today: string

  /** `today` as YYYY-MM-DD: the last day of an entry still counts. */
  constructor(entries: readonly AllowEntry[], today: string) {
    this.#entries = entries
    this.#today = today
  }

  judge(finding: Pick<Finding, 'path' | 'also' | 'test'>): Verdict {
    let note: string | undefined
    for (const entry of this.#entries) {
      if (!matches(entry, finding)) continue
      this.#used.add(entry)
      if (entry.until === undefined || entry.until >= this.#today) return { allowed: true, entry }
      note = `its allow entry expired on ${entry.until} (${entry.reason})`
    }
    return note === undefined ? { allowed: false } : { allowed: false, note }
  }

  expired(): AllowEntry[] {
    return this.#entries.filter((entry) => entry.until !== undefined && entry.until < this.#today)
  }

  used(): AllowEntry[] {
    return this.#entries.filter((entry) => this.#used.has(entry))
  }
}

function matches(entry: AllowEntry, finding: Pick<Finding, 'path' | 'also' | 'test'>): boolean {
  const paths = [finding.path, ...finding.also]
  const byPath = paths.some((path) => (typeof entry.path === 'string' ? path === entry.path : entry.path.test(path)))
  if (!byPath || entry.test === undefined) return byPath
  const test = finding.test ?? ''
  return typeof entry.test === 'string' ? test.includes(entry.test) : entry.test.test(test)
}
