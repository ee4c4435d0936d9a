import { join } from 'node:path'
import type { Cluster } from './cluster.ts'
import { DisposeError, type DisposeReport } from './cluster-dispose.ts'
import { timelineFile } from './cluster-names.ts'

/** So many lines are shown; the file in the kept folder has all. */
const shownLines = 200

/** Whether a test's logs are shown. `MAINSTAY_TESTKIT_LOGS=always|fail|never`, default `fail`. */
export function shouldPrint(failed: boolean): boolean {
  const wanted = process.env['MAINSTAY_TESTKIT_LOGS']
  if (wanted === 'always') return true
  return wanted !== 'never' && failed
}

/** What there is to say about a cluster when a test with it has ended. */
export interface Ended {
  readonly failed: boolean
  /** The folder, when it was kept or is going to be. */
  readonly keptDir: string | undefined
  readonly warnings: readonly string[]
}

/**
 * Cleans up after a test, and says what happened when the test or the clean-up failed.
 *
 * @param failed the test failed
 * @throws DisposeError after it was said
 */
export async function disposeAndTell(
  cluster: Cluster,
  failed: boolean,
  tell: (ended: Ended) => Promise<void> | void,
): Promise<void> {
  let report: DisposeReport
  let error: DisposeError | undefined
  try {
    report = await cluster.dispose({ failed })
  } catch (thrown) {
    if (!(thrown instanceof DisposeError)) throw thrown
    error = thrown
    report = thrown.report
  }
  await tell({ failed: failed || error !== undefined, keptDir: report.keptDir, warnings: report.warnings })
  if (error !== undefined) throw error
}

/** The timeline of all servers of a test that has ended, and where the rest lies. */
export function failureText(cluster: Cluster, ended: Ended, options: { colour?: boolean } = {}): string {
  const left = cluster.timeline().length - shownLines
  const file = ended.keptDir === undefined ? 'no file: nothing was kept' : join(ended.keptDir, timelineFile)
  return [
    '--- testkit: timeline of all servers',
    ...(left > 0 ? [`… ${left} earlier lines in ${file}`] : []),
    cluster.timelineText({ last: shownLines, ...options }),
    ...ended.warnings.map((warning) => `warning: ${warning}`),
    ended.keptDir === undefined ? '--- testkit: nothing was kept' : `--- testkit: kept in ${ended.keptDir}`,
  ].join('\n')
}

/**
 * Whether people see what a test process writes on stderr in colours.
 *
 * A test process has a pipe there, and its runner the terminal: Vitest says so by `FORCE_TTY`, `node --test` by
 * `FORCE_COLOR`. `NO_COLOR` wins, as https://no-color.org has it.
 */
export function showsColours(environment: NodeJS.ProcessEnv, isTerminal: boolean): boolean {
  if ((environment['NO_COLOR'] ?? '') !== '') return false
  const forced = environment['FORCE_COLOR']
  if (forced !== undefined) return forced !== '0'
  return (isTerminal || environment['FORCE_TTY'] === 'true') && environment['TERM'] !== 'dumb'
}

/** Writes the text for people to stderr, where it stands beside the test's own output. */
export function print(cluster: Cluster, ended: Ended): void {
  const colour = showsColours(process.env, process.stderr.isTTY)
  process.stderr.write(`${failureText(cluster, ended, { colour })}\n`)
}
