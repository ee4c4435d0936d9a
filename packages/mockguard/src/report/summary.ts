import type { Finding } from './finding.ts'

export interface FileRecord {
  readonly type: 'file'
  readonly file: string
  readonly tests: number
  readonly spentMs: number
}

/** What a run ends with: where the mocks come from (most leaks come from a few places), who leaves most, the time spent. */
export function summaryOf(findings: readonly Finding[], files: readonly FileRecord[]): string {
  const spentMs = files.reduce((sum, file) => sum + file.spentMs, 0)
  const tests = files.reduce((sum, file) => sum + file.tests, 0)
  const time = `mockguard: ${tests} tests in ${files.length} files looked at in ${spentMs.toFixed(1)} ms`
  if (findings.length === 0) return `${time}, no dangling mock`
  return [
    `${time}, ${findings.length} dangling ${findings.length === 1 ? 'mock' : 'mocks'}`,
    '  made at',
    ...top(findings.map((finding) => finding.createdAt ?? 'unknown place')),
    '  top polluters',
    ...top(findings.map((finding) => `${finding.file}${finding.test ? ` > ${finding.test}` : ''}`)),
  ].join('\n')
}

function top(names: readonly string[], limit = 5): string[] {
  const counts = [...Map.groupBy(names, (name) => name)].map(([name, all]) => ({ name, count: all.length }))
  counts.sort((a, b) => b.count - a.count || a.name.localeCompare(b.name))
  return counts.slice(0, limit).map(({ name, count }) => `  ${String(count).padStart(5)}  ${name}`)
}
