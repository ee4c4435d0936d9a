import { MainstayError, errorMessage } from '../core/errors.ts'

/**
 * What is printed of an error: one line, and with `debug` everything that is known.
 */
export function describeError(error: unknown, { debug }: { debug: boolean }): string {
  const request = requestIdOf(error)
  const line = `mainstay: ${errorMessage(error).replace(/\s*\n\s*/g, ' ')}${request === null ? '' : ` (request ${request})`}`
  return debug ? [line, ...details(error)].join('\n') : line
}

function details(error: unknown): string[] {
  const lines: string[] = []
  for (let at: unknown = error, depth = 0; at !== undefined && depth < 10; depth += 1) {
    if (!(at instanceof Error)) return [...lines, `  caused by ${errorMessage(at)}`]
    const code = at instanceof MainstayError ? ` [${at.code}, status ${at.status}]` : ''
    lines.push(`  ${depth === 0 ? 'thrown' : 'caused by'}${code} ${at.stack ?? at.message}`)
    at = at.cause
  }
  return lines
}

/** The id under which the server's log tells more. */
function requestIdOf(error: unknown): string | null {
  if (!(error instanceof MainstayError) || !('requestId' in error)) return null
  return typeof error.requestId === 'string' ? error.requestId : null
}
