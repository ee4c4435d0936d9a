import { nativeObject } from '../core/natives.ts'
import type { Finding } from '../report/finding.ts'
import { textOf } from '../report/text.ts'

/**
 * A test or a file left mocks behind. The text names each, where it was made and what would have undone it; the stack is
 * the place where the first was made, so that runners show that line.
 */
export class DanglingMockError extends Error {
  readonly code = 'MOCKGUARD_DANGLING'
  override readonly name = 'DanglingMockError'
  readonly #findings: readonly Finding[]

  constructor(findings: readonly Finding[], stack?: string, more?: string) {
    super([textOf(findings), more].filter(Boolean).join('\n'))
    this.#findings = findings
    const frames = (stack ?? '')
      .split('\n')
      .slice(1)
      .filter((line) => !/node_modules|node:internal|\/mockguard\/(src|dist|jest)\/|\/mockguard-cache\//.test(line))
    nativeObject.defineProperty(this, 'stack', {
      value: [`${this.name}: ${this.message}`, ...frames.slice(0, 6)].join('\n'),
      writable: true,
      configurable: true,
    })
  }

  get findings(): readonly Finding[] {
    return this.#findings
  }
}

/** The ratchet of the baseline: what is fixed must leave the list. */
export class BaselineError extends Error {
  readonly code = 'MOCKGUARD_BASELINE'
  override readonly name = 'BaselineError'
}
