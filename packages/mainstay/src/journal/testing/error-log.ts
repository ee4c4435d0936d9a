import { pino } from 'pino'

import type { Logger } from '../../core/logging.ts'

/** A logger that keeps what it is told of errors. */
export function errorLog(): { readonly logger: Logger; readonly errors: readonly string[] } {
  const errors: string[] = []
  const logger = pino(
    { level: 'error' },
    { write: (line: string) => void errors.push((JSON.parse(line) as { msg: string }).msg) },
  )
  return { logger, errors }
}
