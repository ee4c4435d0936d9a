import { errorMessage } from '../core/errors.ts'
import { StoreConflictError, type UniqueValue } from './errors.ts'

/**
 * What is told when a database refuses a record because another one has the same value, whichever database it is.
 *
 * @param cause what the database said
 * @param taken null when that does not tell
 */
export function uniqueConflict(cause: unknown, taken: UniqueValue | null): StoreConflictError {
  const what =
    taken === null
      ? 'A record with the same unique value exists'
      : `Another record of ${taken.table} has the same ${taken.columns.join(', ')}`
  return new StoreConflictError(
    `${what} (${errorMessage(cause)}). Nothing was changed. Choose another value, or try again where it is made for you.`,
    { cause, taken },
  )
}

/** Whether a change was refused because of this column of this table, maybe together with others. */
export function isTaken(error: unknown, table: string, column: string): error is StoreConflictError {
  return error instanceof StoreConflictError && error.taken?.table === table && error.taken.columns.includes(column)
}
