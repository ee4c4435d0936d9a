import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { expect, test } from 'vitest'

const SOURCES = fileURLToPath(new URL('../', import.meta.url))
/** Statements that bring a module with them when the file is loaded; types bring nothing. */
const STATIC_IMPORT = /^(?:import|export)\s(?!type\s)(?:[^'"]*?\sfrom\s)?['"]([^'"]+)['"]/gm

/** Everything from outside of the sources that is loaded together with a file. */
function loadedWith(start: string): ReadonlySet<string> {
  const outside = new Set<string>()
  const files = new Set([new URL(start, `file://${SOURCES}`).href])
  for (const file of files) {
    for (const [, specifier = ''] of readFileSync(new URL(file), 'utf8').matchAll(STATIC_IMPORT)) {
      if (specifier.startsWith('.')) files.add(new URL(specifier, file).href)
      else outside.add(specifier)
    }
  }
  return outside
}

test('the client loads nothing of Node, so that a browser can have it', () => {
  expect([...loadedWith('client/index.ts')]).toEqual(['p-retry'])
})

test('the program starts without the server, the client and the printers', () => {
  expect([...loadedWith('cli/main.ts')].sort()).toEqual(['@stricli/core', 'node:fs/promises', 'node:process'])
})

test.each(
  globSync('cli/**/*.ts', { cwd: SOURCES, exclude: ['**/*.test.ts', 'cli/testing/**', 'cli/output/*.ts'] }).sort(),
)('%s brings no more with it than the program itself has', (file) => {
  expect(['@stricli/core', 'node:fs/promises', 'node:process']).toEqual(expect.arrayContaining([...loadedWith(file)]))
})
