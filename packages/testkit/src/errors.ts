/** Every way in which the kit itself says no. The code is stable; the text may be improved. */
export type TestkitErrorCode =
  | 'TK_BAD_SPEC'
  | 'TK_CANNOT_EXECUTE'
  | 'TK_CLUSTER_CLOSED'
  | 'TK_COMPONENT_MISSING'
  | 'TK_CONFIG_MISSING'
  | 'TK_CONFIG_PLACEHOLDER'
  | 'TK_CONFIG_UNKNOWN_KEY'
  | 'TK_DATABASE_FAILED'
  | 'TK_DATABASE_REFUSED'
  | 'TK_DATA_FILE_MISSING'
  | 'TK_DEPENDENCY'
  | 'TK_DIRTY_LOGS'
  | 'TK_EXEC_FAILED'
  | 'TK_EXIT_CODE'
  | 'TK_FAULT_UNSUPPORTED'
  | 'TK_NOT_READY'
  | 'TK_PORT_TAKEN'
  | 'TK_START_FAILED'
  | 'TK_STATE'
  | 'TK_STOP_FAILED'
  | 'TK_STOP_NOT_CLEAN'
  | 'TK_UNEXPECTED_LAUNCH'

/** Thrown for every refusal and failure of the kit. `code` is stable; `details` is the long text attached to the test. */
export class TestkitError extends Error {
  override readonly name = 'TestkitError'
  readonly code: TestkitErrorCode
  readonly details: string

  constructor(code: TestkitErrorCode, message: string, options: { cause?: unknown; details?: string } = {}) {
    const details = options.details ?? ''
    super(
      details === '' ? message : `${message}\n${details}`,
      'cause' in options ? { cause: options.cause } : undefined,
    )
    this.code = code
    this.details = details
  }
}

/**
 * Rewrites the texts of an error of the kit, and of those that caused it. An error that is not the kit's stays as its
 * author wrote it.
 */
export function rewriteError(error: unknown, rewrite: (text: string) => string): void {
  if (!(error instanceof TestkitError)) return
  const { message, details, stack = '' } = error
  const rewritten = rewrite(message)
  // The stack begins with the text; its places stay, for people open them.
  const shown = stack.includes(message) ? stack.replace(message, () => rewritten) : rewrite(stack)
  Object.assign(error, { message: rewritten, details: rewrite(details), stack: shown })
  rewriteError(error.cause, rewrite)
}

/** The text of anything that was thrown. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The system's error code (`ENOENT`) of anything that was thrown, or undefined. */
export function systemCode(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : undefined
}
