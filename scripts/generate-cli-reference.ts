import { writeFile } from 'node:fs/promises'

import { cliReference } from '../packages/mainstay/src/cli/reference.ts'

/** Writes the reference of the command line; a test says when that was forgotten. */
await writeFile(new URL('../docs/reference/cli.md', import.meta.url), await cliReference())
