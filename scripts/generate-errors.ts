import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { errorsPage, readErrors } from './errors-reference.ts'

/** Writes `docs/reference/errors.md` from the error classes. */
const root = fileURLToPath(new URL('..', import.meta.url))
const entries = readErrors(root)
writeFileSync(`${root}docs/reference/errors.md`, errorsPage(entries))
console.log(`docs/reference/errors.md: ${entries.length} errors`)
