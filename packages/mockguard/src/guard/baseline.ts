import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { isArray, nativeJson } from '../core/natives.ts'
import type { Finding } from '../report/finding.ts'
import { MockguardConfigError } from './options.ts'

/** One tolerated leak: who leaves what. Lines may move; these three do not. */
export interface BaselineEntry {
  readonly file: string
  readonly test: string | null
  readonly path: string
}

export interface Baseline {
  readonly version: 1
  readonly leaks: readonly BaselineEntry[]
}

/** Reads the leaks that are tolerated for now. A missing file tolerates nothing. */
export function readBaseline(file: string): Baseline {
  if (!existsSync(file)) return { version: 1, leaks: [] }
  const parsed: unknown = nativeJson.parse(readFileSync(file, 'utf8'))
  if (typeof parsed === 'object' && parsed !== null && 'leaks' in parsed && isArray(parsed.leaks))
    return parsed as Baseline
  throw new MockguardConfigError(`${file} is no baseline: write it with "mockguard --write-baseline"`)
}

export function writeBaseline(file: string, findings: readonly Finding[]): Baseline {
  const leaks = [...new Map(findings.map((finding) => [keyOf(finding), entryOf(finding)])).values()]
  leaks.sort((a, b) => keyOf(a).localeCompare(keyOf(b)))
  const baseline: Baseline = { version: 1, leaks }
  writeFileSync(file, `${nativeJson.stringify(baseline, null, 2)}\n`)
  return baseline
}

/** The ratchet: a tolerated leak that its file no longer shows must leave the list, or it could come back unseen. */
export function fixedEntries(
  baseline: Baseline,
  seen: readonly BaselineEntry[],
  filesRun: ReadonlySet<string>,
): BaselineEntry[] {
  const present = new Set(seen.map(keyOf))
  return baseline.leaks.filter((entry) => filesRun.has(entry.file) && !present.has(keyOf(entry)))
}

export function tolerates(baseline: Baseline, finding: BaselineEntry): boolean {
  return baseline.leaks.some((entry) => keyOf(entry) === keyOf(finding))
}

function keyOf({ file, test, path }: BaselineEntry): string {
  return nativeJson.stringify([file, test, path])
}

function entryOf({ file, test, path }: BaselineEntry): BaselineEntry {
  return { file, test, path }
}
