import { toJson } from '../../core/json.ts'
import { formatZulu } from '../../core/timestamp.ts'
import type { SpoolDirectory } from './spool-directory.ts'
import { storedRecord, type SpoolRecord } from './spool-entry.ts'

/**
 * One JSON object a line: the record, when and why it was given up. Nothing reads it but a person. Each begins a line of
 * its own, because a write that was cut short may have left a torn one; hence the empty lines.
 */
export const DEAD_LETTER_FILE = 'dead-letters.jsonl'

/** Source: monitors.md 2.3 and 2.4. */
export async function appendDeadLetter(
  directory: SpoolDirectory,
  record: SpoolRecord,
  { reason, atMs }: { reason: string; atMs: number },
): Promise<void> {
  const file = await directory.append(DEAD_LETTER_FILE)
  try {
    await file.write(`\n${toJson({ ...storedRecord(record), dead_at: formatZulu(atMs), reason })}\n`)
    await file.sync()
  } finally {
    await file.close()
  }
}
