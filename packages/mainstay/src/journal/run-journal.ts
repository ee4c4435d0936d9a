import type { Clock } from '../core/clock.ts'
import type { MainstayEvent } from '../core/event.ts'
import type { Queries } from '../store/index.ts'
import { tellRecorded } from './diagnostics.ts'
import { NotClaimed, StaleOwnerError } from './errors.ts'
import type { HistoryEntry, RecordedEntry } from './history.ts'
import type { ClaimedWorkflow } from './claimed-workflow.ts'
import type { JournalStore } from './journal-store.ts'
import type { FirstClaim, HistoryRecord, RecordLine, StatusChange } from './record.ts'
import { isStoreTrouble } from './store-trouble.ts'

export interface RunJournalTools {
  readonly store: JournalStore
  readonly clock: Clock
  /** Called after a change of our own tables, made by a workflow, is on disk. */
  readonly afterCommit: () => void
  /** What is told of an entry, in the transaction that writes it down. */
  readonly tell: (entry: RecordedEntry) => MainstayEvent | undefined
}

/**
 * What one run of a workflow writes down, in the order of its entries' numbers.
 *
 *   unclaimed ──its first record, which claims it──▶ owned ──a record is lost──▶ lost
 *       └──the claim is refused, or nobody knows──▶ lost
 *
 * A workflow that was found by a look is owned from the beginning. Once a record is lost, nothing is written any more:
 * above all not after a refused claim, when the fencing token is somebody else's.
 */
export class RunJournal {
  readonly #workflow: ClaimedWorkflow
  readonly #tools: RunJournalTools
  readonly #claim: FirstClaim | undefined
  #seq: number
  #last: Promise<void> = Promise.resolve()
  #line: RecordLine = { lost: undefined }
  #owned: boolean
  /** While the record that claims is under way; settles without an error. */
  #claiming: Promise<void> | undefined

  /** @param claim with it the first record claims the workflow; none for one that is owned */
  constructor(claimed: ClaimedWorkflow, tools: RunJournalTools, claim: FirstClaim | undefined) {
    this.#workflow = claimed
    this.#tools = tools
    this.#claim = claim
    this.#seq = (claimed.history.at(-1)?.seq ?? 0) + 1
    this.#owned = claim === undefined
  }

  /** Why something could not be written, as far as it is known by now. */
  get knownLoss(): Error | undefined {
    return this.#line.lost
  }

  /** Why something could not be written; undefined when all of it was. */
  async loss(): Promise<Error | undefined> {
    await this.#last
    return this.#line.lost
  }

  /** Whether the workflow is this run's, once the record that claims it is no longer under way. */
  async owned(): Promise<boolean> {
    await this.#claiming
    return this.#owned
  }

  /** Adds entries; resolves when they are on disk. @throws NotClaimed, StaleOwnerError, what the store throws */
  async record(entries: readonly HistoryEntry[]): Promise<void> {
    await this.#record(entries)
  }

  /** Hands entries over without waiting; a failure shows at the next question, before anything else is done. */
  recordSoon(entries: readonly HistoryEntry[]): void {
    this.#last = this.#record(entries).catch(toldByLine)
  }

  /** Changes our own tables and adds an entry in one transaction. @throws as {@link RunJournal.record} */
  async recordAlong(change: (queries: Queries, now: number) => Promise<HistoryEntry>): Promise<void> {
    await this.#recordedSoFar()
    await this.#own()
    const now = this.#tools.clock.now()
    const seq = this.#seq++
    const { entries } = await this.#tools.store.recordAlong(this.#owner(), async (queries) => {
      const numbered = [Object.assign({ seq }, await change(queries, now))]
      return { ...this.#owner(), at: now, entries: numbered, events: this.#told(numbered, now) }
    })
    tellRecorded({ workflowId: this.#workflow.id, entries, status: undefined })
    this.#tools.afterCommit()
  }

  /** Writes the workflow's new status; with it goes whatever has not reached the disk yet. */
  async change(change: StatusChange): Promise<void> {
    await this.#makeWay(change)
    await this.#own()
    await this.#record([], change)
  }

  /** Writes how the workflow ended, in one transaction with what `ended` changes in our own tables. */
  async end(change: StatusChange, ended: (queries: Queries, now: number) => Promise<void>): Promise<void> {
    await this.#makeWay(change)
    await this.#recordedSoFar()
    await this.#own()
    const now = this.#tools.clock.now()
    await this.#tools.store.recordAlong(this.#owner(), async (queries) => {
      await ended(queries, now)
      return { ...this.#owner(), at: now, entries: [], change }
    })
    tellRecorded({ workflowId: this.#workflow.id, entries: [], status: change.status })
    this.#tools.afterCommit()
  }

  async #record(entries: readonly HistoryEntry[], change?: StatusChange): Promise<void> {
    const at = this.#tools.clock.now()
    const numbered = entries.map((entry) => Object.assign({ seq: this.#seq++ }, entry))
    const events = this.#told(numbered, at)
    // What is handed over after a claim reaches the disk with it or after it, or not at all.
    const claim = this.#owned || this.#claiming !== undefined ? undefined : this.#claim
    const writing = this.#tools.store.record({ ...this.#owner(), at, entries: numbered, change, events, claim })
    if (claim !== undefined) this.#claiming = this.#claimed(writing)
    await writing
    tellRecorded({ workflowId: this.#workflow.id, entries, status: change?.status })
    if (events.length > 0) this.#tools.afterCommit()
  }

  async #claimed(writing: Promise<void>): Promise<void> {
    try {
      await writing
      this.#owned = true
    } catch {
      // Whoever handed the record over is told.
    } finally {
      this.#claiming = undefined
    }
  }

  /**
   * Claims the workflow by itself before what takes a transaction: with the subject's lock in a transaction that lasts, or in
   * which this process is paused, the claims of all engines would wait for its end.
   *
   * @throws NotClaimed, and whatever else a record was lost for
   */
  async #own(): Promise<void> {
    if (await this.owned()) return
    if (this.#line.lost !== undefined) throw this.#line.lost
    await this.#record([])
  }

  /** Waits for what was handed over without waiting, so that entries reach the disk in the order of their numbers. */
  async #recordedSoFar(): Promise<void> {
    const lost = await this.loss()
    if (lost !== undefined) throw lost
  }

  /** A record that cannot be written at all, because of its data, does not keep the workflow from failing over it. */
  async #makeWay({ status }: StatusChange): Promise<void> {
    if (status !== 'failed' && status !== 'cancelled') return
    const lost = await this.loss()
    if (lost === undefined || lost instanceof StaleOwnerError || lost instanceof NotClaimed) return
    if (isStoreTrouble(lost)) return
    this.#line = { lost: undefined }
  }

  #owner(): Pick<HistoryRecord, 'workflowId' | 'fence' | 'line'> {
    return { workflowId: this.#workflow.id, fence: this.#workflow.fence, line: this.#line }
  }

  #told(entries: readonly (HistoryEntry & { readonly seq: number })[], at: number): MainstayEvent[] {
    const { fence } = this.#workflow
    return entries.flatMap((entry) => this.#tools.tell({ ...entry, fence, at }) ?? [])
  }
}

/** The line remembers why a record was lost, and everything that follows asks it. */
function toldByLine(): void {}
