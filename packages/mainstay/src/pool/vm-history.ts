import { formatZulu } from '../core/timestamp.ts'
import type { ChangeWatch } from './change-watch.ts'
import type { PoolChange } from './change.ts'

/** Changes that are kept of one machine. */
const PER_VM = 50

/** Machines whose changes are kept; of more, those that were changed first are forgotten. */
const MOST_VMS = 10_000

export interface HistoryEntry {
  readonly at: string
  readonly kind: string
  readonly from: string | null
  readonly to: string | null
  readonly owner: string | null
  readonly worker: string | null
  readonly taskId: string | null
  readonly reason: string | null
}

/**
 * What happened lately to each machine, as this process saw it. Bounded, and gone with the process; the event stream keeps
 * the same under the machine's name for as long as it keeps events.
 *
 * Source: vm-pool.md C16.
 */
export class VmHistory {
  readonly #changes = new Map<string, HistoryEntry[]>()

  constructor(watch: ChangeWatch) {
    watch.on((news) => void (news.kind === 'change' && this.#keep(news.change)))
  }

  /** The newest last; empty for a machine of which nothing was seen. */
  of(vm: string): readonly HistoryEntry[] {
    return this.#changes.get(vm) ?? []
  }

  #keep({ vm, at, kind, from, to, owner, worker, taskId, reason }: PoolChange): void {
    if (vm === null) return
    const entries = this.#changes.get(vm) ?? []
    entries.push({ at: formatZulu(at), kind, from, to, owner, worker, taskId, reason })
    if (entries.length > PER_VM) entries.shift()
    this.#changes.delete(vm)
    this.#changes.set(vm, entries)
    const [oldest] = this.#changes.keys()
    if (this.#changes.size > MOST_VMS && oldest !== undefined) this.#changes.delete(oldest)
  }
}
