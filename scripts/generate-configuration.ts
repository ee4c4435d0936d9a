import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { configurationPage } from './configuration-reference.ts'

/** Writes `docs/reference/configuration.md` from the schema of the configuration. */
const path = fileURLToPath(new URL('../docs/reference/configuration.md', import.meta.url))
writeFileSync(path, configurationPage())
console.log('docs/reference/configuration.md')
