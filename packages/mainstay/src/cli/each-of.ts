import type { CliContext } from './context.ts'
import { describeError } from './describe-error.ts'

/**
 * Does something to every name that was given, also after one of them failed: each failure is told at once, the last
 * one is thrown at the end so that the exit code is its.
 *
 * @throws the error of the last one that failed
 */
export async function eachOf(
  context: CliContext,
  flags: { readonly debug: boolean },
  names: readonly string[],
  work: (name: string) => Promise<void>,
): Promise<void> {
  const failures: unknown[] = []
  for (const name of names) {
    try {
      await work(name)
    } catch (error) {
      if (context.signal.aborted) throw error
      if (failures.length > 0) context.process.stderr.write(`${describeError(failures.at(-1), flags)}\n`)
      failures.push(error)
    }
  }
  if (failures.length > 0) throw failures.at(-1)
}
