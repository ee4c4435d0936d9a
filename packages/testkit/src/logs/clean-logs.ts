import { TestkitError } from '../errors.ts'
import type { CleanLogs } from '../cluster-options.ts'
import type { LogLine } from './log-line.ts'

/**
 * Refuses forbidden lines of servers, except allowed ones.
 *
 * @param hide takes the secrets out of what is quoted
 * @throws TestkitError TK_DIRTY_LOGS quoting at most ten of them
 */
export function assertCleanLogs(lines: readonly LogLine[], rules: CleanLogs, hide: (text: string) => string): void {
  const matches = (patterns: readonly RegExp[], text: string): boolean =>
    patterns.some((pattern) => new RegExp(pattern.source, pattern.flags.replaceAll(/[gy]/g, '')).test(text))
  const dirty = lines.filter(
    (line) => line.stream !== 'harness' && matches(rules.forbid, line.text) && !matches(rules.allow ?? [], line.text),
  )
  if (dirty.length === 0) return
  throw new TestkitError('TK_DIRTY_LOGS', `${dirty.length} forbidden log lines`, {
    details: hide(
      dirty
        .slice(0, 10)
        .map((line) => `${line.server}/${line.stream} | ${line.text}`)
        .join('\n'),
    ),
  })
}
