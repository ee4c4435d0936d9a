import { run } from '@stricli/core'

import { createApplication } from './application.ts'
import type { CliContext } from './context.ts'
import { COMPLETE } from './complete-word.ts'
import { EXIT, exitCodeOfError, exitCodeOfRun } from './exit-code.ts'

/**
 * Runs one command line.
 *
 * @param argv without the program's own name
 * @returns the exit code
 */
export async function runCli(argv: readonly string[], context: CliContext): Promise<number> {
  if (argv[0] === COMPLETE) {
    const { complete } = await import('./complete.ts')
    await complete(argv.slice(1), context)
    return EXIT.done
  }
  const words = argv.map(withDashes)
  const application = await createApplication(words, { debug: words.includes('--debug') })
  // The scanner leaves the code of the run in the process it is given; ours must not be changed behind our back.
  const { stdout, stderr, env } = context.process
  const process: CliContext['process'] & { exitCode?: number | string | null } = { stdout, stderr, env }
  const config = { ...application.config, determineExitCode: exitCodeOfError }
  await run({ ...application, config }, words, { ...context, process })
  return exitCodeOfRun(Number(process.exitCode ?? 0))
}

/** The `openstack` client writes its long flags with underscores: `--recovery_method`. Both are understood. */
function withDashes(word: string): string {
  const match = /^--[a-z]+(?:_[a-z]+)+(?==|$)/.exec(word)
  return match === null ? word : match[0].replaceAll('_', '-') + word.slice(match[0].length)
}
