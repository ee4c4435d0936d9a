import { nowMs, writeSync } from '../core/natives.ts'
import type { Leak, TestRef } from '../core/leak.ts'
import { findingOf } from '../report/finding.ts'
import type { Finding } from '../report/finding.ts'
import type { MapPosition } from '../report/frames.ts'
import { appendJsonLines } from '../report/json-lines.ts'
import { textOf } from '../report/text.ts'
import { AllowList } from './allow.ts'
import { fixedEntries, readBaseline, tolerates } from './baseline.ts'
import type { Baseline, BaselineEntry } from './baseline.ts'
import { BaselineError, DanglingMockError } from './error.ts'
import type { Blamed, Guard } from './guard.ts'
import { inlineAllowance } from './inline-allow.ts'
import type { Settings } from './options.ts'

export interface SessionContext {
  /** The test file, relative to the project. */
  readonly file: string
  readonly mapPosition?: MapPosition | undefined
  /** Today as YYYY-MM-DD, for allow entries that end. */
  readonly today: string
  /** A further file for records that only the summary needs. */
  readonly spool?: string | null
  readonly print?: (text: string) => void
}

const writeErr = (text: string): void => void writeSync(2, `${text}\n`)

/**
 * What follows from a leak: whether it counts (kinds, allow list, baseline), whether it is put right (restore modes),
 * where it is written, and whether the test fails. The same for every runner.
 */
export class Session {
  readonly settings: Settings
  readonly #guard: Guard
  readonly #context: SessionContext
  readonly #allow: AllowList
  readonly #baseline: Baseline
  readonly #tolerated: BaselineEntry[] = []
  readonly #left: Leak[] = []
  readonly #late: Finding[] = []
  #tests = 0
  #spentMs = 0

  constructor(settings: Settings, guard: Guard, context: SessionContext) {
    this.settings = settings
    this.#guard = guard
    this.#context = context
    this.#allow = new AllowList(settings.allow, context.today)
    this.#baseline = settings.baseline === null ? { version: 1, leaks: [] } : readBaseline(settings.baseline)
  }

  /** Leaks of this file that are still there. */
  left(): Leak[] {
    return this.#left.filter((leak) => leak.isPresent())
  }

  get leaked(): boolean {
    return this.#left.length > 0 || this.#late.length > 0
  }

  timed<T>(work: () => T): T {
    const started = nowMs()
    try {
      return work()
    } finally {
      this.#spentMs += nowMs() - started
    }
  }

  /** The error a test has to fail with, or null. */
  afterTest(test: TestRef, options: { last: () => boolean; concurrent?: boolean }): DanglingMockError | null {
    this.#tests += 1
    return this.timed(() => this.#settle(this.#guard.endTest(test, options).map((leak) => ({ leak, test }))))
  }

  /** Findings that no test could be failed with: `test.fails`, an attempt that was retried and passed. */
  postpone(error: DanglingMockError): void {
    this.#late.push(...error.findings)
  }

  /** The errors a file has to fail with. */
  finish(): Error[] {
    const error = this.timed(() => this.#settle(this.#guard.endFile()))
    const findings = [...this.#late, ...(error?.findings ?? [])]
    const errors: Error[] = []
    if (findings.length > 0) {
      const hint =
        error &&
        this.settings.scan === 'file' &&
        error.findings.some((one) => one.test === null && one.createdAt === null)
      errors.push(
        new DanglingMockError(
          findings,
          error?.stack,
          hint ? 'Run this file with MOCKGUARD_SCAN=test to find the test.' : undefined,
        ),
      )
    }
    const fixed = fixedEntries(this.#baseline, this.#tolerated, new Set([this.#context.file]))
    if (fixed.length > 0) {
      const lines = fixed.map((entry) => `  ${entry.path}   ${entry.test ?? '(file)'}`)
      errors.push(
        new BaselineError(
          `Fixed, but still in ${this.settings.baseline}: remove them, or run "mockguard --write-baseline".\n${lines.join('\n')}`,
        ),
      )
    }
    this.#spool()
    return errors
  }

  #settle(blamed: readonly Blamed[]): DanglingMockError | null {
    const counted = blamed.flatMap(({ leak, test }) => {
      const finding = this.#judge(leak, test)
      return finding ? [{ leak, finding }] : []
    })
    if (counted.length === 0) return null
    const { mode } = this.settings
    const findings: Finding[] = []
    const unrestored: Finding[] = []
    const undone: Leak[] = []
    for (const { leak, finding } of counted.toReversed()) {
      if (mode !== 'restore' && mode !== 'restore+fail') {
        this.#left.push(leak)
        findings.unshift(finding)
        continue
      }
      const trouble = undo(leak)
      if (trouble === null) undone.push(leak)
      const told: Finding =
        trouble === null
          ? { ...finding, restored: true }
          : { ...finding, restored: false, note: `not restored: ${trouble}` }
      if (trouble !== null) {
        this.#left.push(leak)
        unrestored.unshift(told)
      }
      findings.unshift(told)
    }
    if (mode === 'restore' || mode === 'restore+fail') this.#guard.settle(undone)
    if (this.settings.report !== null) appendJsonLines(this.settings.report, findings)
    if (this.#context.spool) appendJsonLines(this.#context.spool, findings)
    if (mode === 'warn') (this.#context.print ?? writeErr)(textOf(findings))
    const failing = mode === 'restore' ? unrestored : mode === 'warn' ? [] : findings
    return failing.length === 0 ? null : new DanglingMockError(failing, counted[0]?.leak.origin?.trace.stack)
  }

  #judge(leak: Leak, test: TestRef | null): Finding | null {
    const { kinds, root } = this.settings
    if (kinds.include && !kinds.include.includes(leak.kind)) return null
    if (kinds.exclude?.includes(leak.kind) === true) return null
    if (inlineAllowance(leak.owner, leak.key)) return null
    const finding = findingOf(leak, test, { file: this.#context.file, root, mapPosition: this.#context.mapPosition })
    const verdict = this.#allow.judge(finding)
    if (verdict.allowed) return null
    if (tolerates(this.#baseline, finding)) {
      this.#tolerated.push(finding)
      return null
    }
    return verdict.note === undefined ? finding : { ...finding, note: verdict.note }
  }

  #spool(): void {
    const { spool, file } = this.#context
    if (!spool) return
    const used = this.#allow
      .used()
      .map((entry) => ({ type: 'allow-used', path: String(entry.path), reason: entry.reason }))
    appendJsonLines(spool, [...used, { type: 'file', file, tests: this.#tests, spentMs: this.#spentMs }])
  }
}

/** Null when the leak is gone, else why it is not. */
function undo(leak: Leak): string | null {
  try {
    leak.undo()
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
  return leak.isPresent() ? 'it is still there after its original was put back' : null
}
