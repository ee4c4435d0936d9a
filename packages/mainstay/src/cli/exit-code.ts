import { MainstayError } from '../core/errors.ts'

/** What scripts may rely on. */
export const EXIT = { done: 0, failed: 1, usage: 2, refused: 3, unreachable: 4 } as const
export type ExitCode = (typeof EXIT)[keyof typeof EXIT]

const USAGE_CODES: ReadonlySet<string> = new Set(['MS_USAGE', 'MS_INVALID_INPUT'])
/** Statuses with which a server says that it understood and that a rule forbids it. */
const REFUSED_STATUSES: ReadonlySet<number> = new Set([403, 409])
/** Statuses with which something between us and the server, or a server without its own neighbours, gives up. */
const UNREACHABLE_STATUSES: ReadonlySet<number> = new Set([502, 503, 504])
/** What a server says when it understood, with a status that it also has for what it did not understand. */
const REFUSED_CODES: ReadonlySet<string> = new Set(['MS_POOL_REQUEST_IMPOSSIBLE'])
const ARGUMENT_SCANNER_CODES: ReadonlySet<number> = new Set([-4, -5])

/** The exit code of an error that a command threw. */
export function exitCodeOfError(error: unknown): ExitCode {
  if (!(error instanceof MainstayError)) return EXIT.failed
  if (USAGE_CODES.has(error.code)) return EXIT.usage
  if (error.code === 'MS_UNEXPECTED_ANSWER') return EXIT.failed
  if (REFUSED_STATUSES.has(error.status) || REFUSED_CODES.has(faultKeyOf(error))) return EXIT.refused
  if (UNREACHABLE_STATUSES.has(error.status)) return EXIT.unreachable
  return EXIT.failed
}

/** The code under which a server refused. The client, which has a class for it, is not loaded for every command. */
function faultKeyOf(error: MainstayError): string {
  return 'faultKey' in error && typeof error.faultKey === 'string' ? error.faultKey : ''
}

/** Translates the codes of the argument scanner, which are negative, into ours. */
export function exitCodeOfRun(code: number): number {
  if (code >= 0) return code
  return ARGUMENT_SCANNER_CODES.has(code) ? EXIT.usage : EXIT.failed
}
