import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Where the last run of the tests in this checkout noted what it left out. */
const RECORD = fileURLToPath(new URL('../node_modules/.cache/mainstay/last-run.json', import.meta.url))

/** Notes which test files skipped something. @param files absolute paths */
export function noteSkippingFiles(files: readonly string[]): void {
  mkdirSync(dirname(RECORD), { recursive: true })
  writeFileSync(RECORD, JSON.stringify({ skipping: files }))
}

/** The test files in which the last run skipped something; undefined when none is on record. */
export function skippingFiles(): readonly string[] | undefined {
  try {
    return (JSON.parse(readFileSync(RECORD, 'utf8')) as { skipping: string[] }).skipping
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
