import type { DisposeReport } from './cluster-dispose.ts'

/** So many lines are shown; the file in the kept folder has all. */
const shownLines = 200

/** Whether a test's logs are shown. `MAINSTAY_TESTKIT_LOGS=always|fail|never`, default `fail`. */
export function shouldPrint(failed: boolean): boolean {
  const wanted = process.env['MAINSTAY_TESTKIT_LOGS']
  if (wanted === 'always') return true
  return wanted !== 'never' && failed
}

/** The timeline of a failed test's servers, and where the rest lies. */
export function failureText(report: DisposeReport): string {
  const lines = report.timeline.split('\n')
  const left = lines.length - shownLines
  return [
    '--- testkit: timeline of all servers',
    ...(left > 0 ? [`… ${left} earlier lines in ${report.timelineFile ?? 'no file: nothing was kept'}`] : []),
    ...lines.slice(-shownLines),
    ...report.warnings.map((warning) => `warning: ${warning}`),
    report.keptDir === undefined ? '--- testkit: nothing was kept' : `--- testkit: kept in ${report.keptDir}`,
  ].join('\n')
}
