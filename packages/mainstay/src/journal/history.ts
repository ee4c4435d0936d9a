import { canonicalJson, type Json } from '../core/json.ts'
import { NonDeterministicWorkflowError } from './errors.ts'

/**
 * What is written down about a workflow, one kind of entry for each thing a context can be asked for.
 *
 * A step leaves `intent`, then `outcome` or `failure`; a failure with `retryAt` is followed by another intent. `wait`
 * is followed by `signal`. The others are complete in one entry. `progress` and `claimed` are for people; a replay
 * passes over them.
 */
export type HistoryEntry =
  | { readonly kind: 'intent'; readonly key: string; readonly data: { readonly input: Json; readonly attempt: number } }
  | {
      readonly kind: 'outcome'
      readonly key: string
      readonly data: { readonly output: Json; readonly attempt: number }
    }
  | { readonly kind: 'failure'; readonly key: string; readonly data: StepFailure }
  | {
      readonly kind: 'transaction'
      readonly key: string
      readonly data: { readonly input: Json; readonly output: Json }
    }
  | { readonly kind: 'decision'; readonly key: string; readonly data: Decision }
  | { readonly kind: 'time'; readonly key: string; readonly data: { readonly now: number } }
  | {
      readonly kind: 'timer'
      readonly key: string
      readonly data: { readonly delayMs: number; readonly until: number }
    }
  | {
      readonly kind: 'wait'
      readonly key: string
      readonly data: { readonly names: readonly string[]; readonly until: number; readonly held: string | null }
    }
  | {
      readonly kind: 'signal'
      readonly key: string
      readonly data: { readonly id: string | null; readonly name: string | null; readonly data: Json }
    }
  | {
      readonly kind: 'lock'
      readonly key: string
      readonly data: { readonly lock: string; readonly acquired: boolean }
    }
  | {
      readonly kind: 'progress'
      readonly key: string
      readonly data: { readonly fraction: number; readonly message: string }
    }
  | { readonly kind: 'claimed'; readonly key: string; readonly data: { readonly engine: string } }

export interface StepFailure {
  readonly attempt: number
  readonly code: string
  readonly message: string
  /** When the step is tried again, in milliseconds since the Unix epoch; null when it is not. */
  readonly retryAt: number | null
}

/** Why something was done or not done: the inputs of a pure rule and its verdict. */
export interface Decision {
  readonly rule: string
  readonly inputs: Json
  readonly verdict: Json
}

/** An entry as it stands in the database. */
export type RecordedEntry = HistoryEntry & {
  readonly seq: number
  readonly fence: number
  /** Milliseconds since the Unix epoch. */
  readonly at: number
}

type Kind = HistoryEntry['kind']
type EntryOf<K extends Kind> = Extract<RecordedEntry, { kind: K }>

/** What a step's entries amount to. */
export interface StepPast {
  readonly attempts: number
  /** An intent was written and neither outcome nor failure: the act may have happened. */
  readonly open: boolean
  readonly outcome: { readonly output: Json } | undefined
  readonly failure: StepFailure | undefined
}

const REPLAYED: readonly Kind[] = ['intent', 'transaction', 'decision', 'time', 'timer', 'wait', 'lock']

/** The history of one workflow, asked by key, that notices when it is asked for something else than it recorded. */
export class Replay {
  readonly #workflow: string
  readonly #byKey = new Map<string, RecordedEntry[]>()
  readonly #visited = new Set<string>()

  constructor(workflow: string, entries: readonly RecordedEntry[]) {
    this.#workflow = workflow
    for (const entry of entries) {
      if (entry.kind === 'progress' || entry.kind === 'claimed') continue
      const known = this.#byKey.get(entry.key)
      if (known === undefined) this.#byKey.set(entry.key, [entry])
      else known.push(entry)
    }
  }

  /** @throws NonDeterministicWorkflowError when another input, or something else, was recorded under the key */
  step(key: string, input: Json): StepPast {
    const entries = this.#visit(key, ['intent', 'outcome', 'failure'])
    let past: StepPast = { attempts: 0, open: false, outcome: undefined, failure: undefined }
    for (const entry of entries) {
      if (entry.kind === 'intent') {
        this.#sameInput(key, entry.data.input, input)
        past = { ...past, attempts: entry.data.attempt, open: true }
      } else if (entry.kind === 'outcome') {
        past = { ...past, open: false, outcome: entry.data }
      } else if (entry.kind === 'failure') {
        past = { ...past, open: false, failure: entry.data }
      }
    }
    return past
  }

  transaction(key: string, input: Json): EntryOf<'transaction'>['data'] | undefined {
    const data = this.#only(key, 'transaction')
    if (data !== undefined) this.#sameInput(key, data.input, input)
    return data
  }

  decision(key: string, rule: string, inputs: Json): Decision | undefined {
    const data = this.#only(key, 'decision')
    if (data === undefined) return undefined
    if (data.rule !== rule) this.#differs(key, `rule "${rule}" is applied where "${data.rule}" was`)
    this.#sameInput(key, data.inputs, inputs)
    return data
  }

  time(key: string): number | undefined {
    return this.#only(key, 'time')?.now
  }

  timer(key: string): EntryOf<'timer'>['data'] | undefined {
    return this.#only(key, 'timer')
  }

  lock(key: string, lock: string): boolean | undefined {
    const data = this.#only(key, 'lock')
    if (data !== undefined && data.lock !== lock) this.#differs(key, `lock ${lock} is taken where ${data.lock} was`)
    return data?.acquired
  }

  wait(key: string): { wait: EntryOf<'wait'>['data'] | undefined; signal: EntryOf<'signal'>['data'] | undefined } {
    const entries = this.#visit(key, ['wait', 'signal'])
    return {
      wait: entries.find((entry): entry is EntryOf<'wait'> => entry.kind === 'wait')?.data,
      signal: entries.find((entry): entry is EntryOf<'signal'> => entry.kind === 'signal')?.data,
    }
  }

  /** Ids of the signals that have been taken. */
  takenSignals(): Set<string> {
    const taken = new Set<string>()
    for (const entries of this.#byKey.values()) {
      for (const entry of entries) if (entry.kind === 'signal' && entry.data.id !== null) taken.add(entry.data.id)
    }
    return taken
  }

  /** @throws NonDeterministicWorkflowError when the workflow ended without asking for something it had recorded */
  finished(): void {
    for (const [key, entries] of this.#byKey) {
      if (this.#visited.has(key) || !entries.some((entry) => REPLAYED.includes(entry.kind))) continue
      this.#differs(key, 'it was recorded and is not asked for any more')
    }
  }

  #visit(key: string, kinds: readonly Kind[]): RecordedEntry[] {
    if (this.#visited.has(key)) this.#differs(key, 'the key is used twice')
    this.#visited.add(key)
    const entries = this.#byKey.get(key) ?? []
    const other = entries.find((entry) => !kinds.includes(entry.kind))
    if (other !== undefined) this.#differs(key, `a ${kinds[0]} is asked for where a ${other.kind} was recorded`)
    return entries
  }

  #only<K extends Kind>(key: string, kind: K): EntryOf<K>['data'] | undefined {
    const [entry] = this.#visit(key, [kind])
    return entry?.data as EntryOf<K>['data'] | undefined
  }

  #sameInput(key: string, recorded: Json, asked: Json): void {
    const [before, now] = [canonicalJson(recorded), canonicalJson(asked)]
    if (before !== now) this.#differs(key, `its input was ${shorten(before)} and is ${shorten(now)}`)
  }

  #differs(key: string, detail: string): never {
    throw new NonDeterministicWorkflowError(this.#workflow, `at "${key}", ${detail}`)
  }
}

function shorten(text: string): string {
  return text.length <= 200 ? text : `${text.slice(0, 200)}…`
}
