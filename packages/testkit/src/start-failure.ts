import { describeFiles, type RenderedFiles } from './config/config-files.ts'
import { describeExit, type Diagnostics } from './diagnostics/collect.ts'
import type { KnownSecrets } from './config/known-secrets.ts'
import { TestkitError } from './errors.ts'
import type { ReadinessOutcome } from './readiness/wait-ready.ts'
import type { ExitInfo, ServerContext } from './spec.ts'

export type StartFailureCode = 'TK_NOT_READY' | 'TK_START_FAILED' | 'TK_EXIT_CODE' | 'TK_UNEXPECTED_LAUNCH'

/** What a person needs who reads only the failure: state, configuration with secrets hidden, last lines, findings. */
export function startFailure(
  code: StartFailureCode,
  message: string,
  seen: {
    state: string
    context: ServerContext<object>
    secrets: KnownSecrets
    rendered: RenderedFiles
    /** These two without secrets. */
    log: string
    diagnostics: Diagnostics | undefined
  },
): TestkitError {
  const details = [
    `state: ${seen.state}; configuration in ${seen.context.etc}`,
    describeFiles(seen.rendered, seen.secrets),
    `--- last lines\n${seen.log}`,
    ...(seen.diagnostics === undefined ? [] : [`--- diagnostics\n${seen.diagnostics.text}`]),
  ]
  return new TestkitError(code, seen.secrets.hide(message), { details: details.join('\n') })
}

/** Not ready in time, or ended before. */
export function describeNotReady(server: string, outcome: ReadinessOutcome, ended: ExitInfo | undefined): string {
  if (ended !== undefined) return `server "${server}" ended before it was ready: ${describeExit(ended)}`
  const ms = Math.round(outcome.elapsedMs)
  return `server "${server}" was not ready after ${ms} ms: waited for ${outcome.waitedFor}, last: ${outcome.said}`
}
