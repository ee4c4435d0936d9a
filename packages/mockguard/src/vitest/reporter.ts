import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Settings } from '../guard/options.ts'
import type { Finding } from '../report/finding.ts'
import { githubAnnotations } from '../report/github.ts'
import { parseJsonLines } from '../report/json-lines.ts'
import { junitXml } from '../report/junit.ts'
import { summaryOf } from '../report/summary.ts'
import type { FileRecord } from '../report/summary.ts'

type SpoolRecord =
  | Finding
  | FileRecord
  | { readonly type: 'allow-used'; readonly path: string; readonly reason: string }

/** Ends the run with what all workers found: a summary, annotations, the JUnit file, allow entries without use. */
export class MockguardReporter {
  readonly #settings: Settings
  readonly #spool: string

  constructor(settings: Settings, spool: string) {
    this.#settings = settings
    this.#spool = spool
  }

  onTestRunEnd(): void {
    const records = existsSync(this.#spool) ? parseJsonLines<SpoolRecord>(readFileSync(this.#spool, 'utf8')) : []
    rmSync(this.#spool, { force: true })
    const findings = records.filter((record) => record.type === 'leak')
    const files = records.filter((record) => record.type === 'file')
    const lines = [summaryOf(findings, files), ...this.#unusedEntries(records)]
    if (this.#settings.github) lines.push(...githubAnnotations(findings))
    process.stdout.write(`${lines.join('\n')}\n`)
    if (this.#settings.junit !== null) writeFileSync(this.#settings.junit, junitXml(findings))
  }

  onProcessTimeout(): void {
    rmSync(dirname(this.#spool), { recursive: true, force: true })
  }

  #unusedEntries(records: readonly SpoolRecord[]): string[] {
    const used = new Set(records.flatMap((record) => (record.type === 'allow-used' ? [record.path] : [])))
    return this.#settings.allow
      .filter((entry) => !used.has(String(entry.path)))
      .map((entry) => `mockguard: allow entry ${String(entry.path)} was not needed (${entry.reason}): remove it`)
  }
}
