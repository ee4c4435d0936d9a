import { MainstayError } from '../core/errors.ts'
import { wholeMs } from '../core/format-duration.ts'

/** The database cannot be reached, is locked by another process or did not answer in time. */
export class StoreUnavailableError extends MainstayError {
  readonly code = 'MS_STORE_UNAVAILABLE'
  readonly status = 503
  readonly retryable = true
}

/** Another process of this program uses the data directory; nothing was started. */
export class DirectoryInUseError extends MainstayError {
  readonly code = 'MS_DIRECTORY_IN_USE'
  readonly status = 409
  readonly retryable = false
}

/** The disk of the database is full or read-only: nothing was changed. */
export class StoreFullError extends MainstayError {
  readonly code = 'MS_STORE_FULL'
  readonly status = 507
  readonly retryable = true
}

/** The database file is damaged or is no database. */
export class StoreCorruptError extends MainstayError {
  readonly code = 'MS_STORE_CORRUPT'
  readonly status = 500
  readonly retryable = false
}

/** The database's schema is newer than this program, lacks tables, or a migration failed. */
export class StoreSchemaError extends MainstayError {
  readonly code = 'MS_STORE_SCHEMA'
  readonly status = 500
  readonly retryable = false
}

/** What two records of a table may not have in common. */
export interface UniqueValue {
  readonly table: string
  readonly columns: readonly string[]
}

/** A unique name or id is taken. */
export class StoreConflictError extends MainstayError {
  readonly code = 'MS_STORE_CONFLICT'
  readonly status = 409
  readonly retryable = false
  /** What is taken; null when the database does not say. */
  readonly taken: UniqueValue | null

  constructor(message: string, { taken = null, ...options }: { taken?: UniqueValue | null; cause?: unknown } = {}) {
    super(message, options)
    this.taken = taken
  }
}

/** The work of a write did not finish in its time, so the write was rolled back for the sake of those behind it. */
export class StoreWorkStuckError extends MainstayError {
  readonly code = 'MS_STORE_WORK_STUCK'
  readonly status = 500
  readonly retryable = false

  constructor(timeoutMs: number) {
    super(
      `A change of the database did not finish within ${wholeMs(timeoutMs)} and was rolled back. ` +
        'Its work waited for something else than the database: move that wait out of the write.',
    )
  }
}

/** A statement of a write failed, its error was caught, and the write went on; nothing of the write was kept. */
export class StoreWriteBrokenError extends MainstayError {
  readonly code = 'MS_STORE_WRITE_BROKEN'
  readonly status = 500
  readonly retryable = false

  constructor(options: { cause: unknown }) {
    super(
      'A change of the database went on after one of its statements had failed, so all of it was rolled back. ' +
        'Let the error end the write, or say what to do instead in the statement (on conflict).',
      options,
    )
  }
}

/** A write was started inside the work of another, which would wait for itself. */
export class StoreNestedWriteError extends MainstayError {
  readonly code = 'MS_STORE_NESTED_WRITE'
  readonly status = 500
  readonly retryable = false

  constructor() {
    super(
      'A change of the database was started inside the work of another one. ' +
        'Pass the handle of the outer write on and use it for both.',
    )
  }
}
