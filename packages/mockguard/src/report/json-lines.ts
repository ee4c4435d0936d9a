import { appendFileSync, nativeJson } from '../core/natives.ts'

// Taken now: a test may mock `fs`, and the report must be written all the same.
const append = appendFileSync

/** Appends records to a file, one JSON object a line, in one write: workers share the file. */
export function appendJsonLines(file: string, records: readonly object[]): void {
  if (records.length === 0) return
  append(file, records.map((record) => `${nativeJson.stringify(record)}\n`).join(''))
}

export function parseJsonLines<T>(text: string): T[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => nativeJson.parse(line) as T)
}
