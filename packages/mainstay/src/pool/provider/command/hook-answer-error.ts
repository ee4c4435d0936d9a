import { MainstayError } from '../../../core/errors.ts'
import { excerpt } from './run-hook.ts'

/** A hook that was asked a question ended well, but its answer cannot be understood. It is never read as "nothing". */
export class HookAnswerError extends MainstayError {
  readonly code = 'MS_HOOK_ANSWER'
  readonly status = 502
  readonly retryable = true

  constructor(hook: string, expected: string, answer: string, options?: { cause?: unknown }) {
    super(`The ${hook} hook must print ${expected} as JSON and nothing else. It printed: ${excerpt(answer)}`, options)
  }
}
