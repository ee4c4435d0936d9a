import { isJsonObject } from '../../../core/json.ts'
import type { ProviderErrorClass } from '../errors.ts'
import { lastLineObject, type HookOutputError } from './hook-output.ts'
import { HookFailedError } from './run-hook.ts'

/** What is known of a hook's failure. */
export interface HookVerdict {
  readonly class: ProviderErrorClass
  readonly message: string
  readonly retryAfterMs: number | undefined
}

/**
 * Exit statuses that say what kind of failure it was: after BSD's sysexits(3) where that has a word for it, and those by
 * which a shell says that a program cannot be run.
 */
export const CLASS_BY_STATUS: ReadonlyMap<number, ProviderErrorClass> = new Map([
  [64, 'invalid'],
  [65, 'invalid'],
  [66, 'invalid'],
  [69, 'capacity'],
  [73, 'quota'],
  [75, 'rate_limit'],
  [77, 'authentication'],
  [78, 'invalid'],
  [126, 'invalid'],
  [127, 'invalid'],
])

const CLASSES = ['quota', 'capacity', 'rate_limit', 'authentication', 'invalid', 'transient'] as const

/**
 * The class of a hook's failure: what its last line says as JSON (`{"error":"…","class":"quota","retry_after":30}`, seconds),
 * else what its exit status says, else transient.
 */
export function judgeHookFailure(error: HookFailedError | HookOutputError): HookVerdict {
  const said = lastLineObject(error.output)
  if (!isJsonObject(said)) return { class: classOf(error), message: error.message, retryAfterMs: undefined }
  const { error: text, class: named, retry_after: seconds } = said
  return {
    class: CLASSES.find((each) => each === named) ?? classOf(error),
    message: typeof text === 'string' ? text : error.message,
    retryAfterMs: typeof seconds === 'number' && seconds >= 0 ? seconds * 1000 : undefined,
  }
}

function classOf(error: HookFailedError | HookOutputError): ProviderErrorClass {
  if (!(error instanceof HookFailedError)) return 'transient'
  if (error.why === 'missing') return 'invalid'
  return (error.why === 'status' ? CLASS_BY_STATUS.get(error.exitCode ?? 0) : undefined) ?? 'transient'
}
