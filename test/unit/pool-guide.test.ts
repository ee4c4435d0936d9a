import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { describe, expect, onTestFinished, test } from 'vitest'

import { loadConfig } from '../../packages/mainstay/src/server/config/load.ts'

const GUIDES = ['vm-pools.md', 'pool-providers.md']

/** Indented blocks of a guide that begin with a table of the pool: what a reader copies into the configuration. */
function examples(guide: string): string[] {
  const text = readFileSync(fileURLToPath(new URL(`../../docs/how-to/${guide}`, import.meta.url)), 'utf8')
  const blocks = text.split(/\n(?=\S)/).flatMap((part) => part.match(/(?:^ {4}.*\n|^\n)+/gm) ?? [])
  const plain = blocks.map((block) => block.replaceAll(/^ {4}/gm, '').trim())
  return plain.filter((block) => /^\[+pool/.test(block))
}

describe.each(GUIDES)('examples of %s', (guide) => {
  test.each(examples(guide).map((text, index) => [index + 1, text] as const))(
    'C15 example %i is a configuration that the program takes',
    async (_number, text) => {
      const directory = await mkdtemp(join(tmpdir(), 'mainstay-guide-'))
      onTestFinished(async () => await rm(directory, { recursive: true }))
      const file = join(directory, 'mainstay.toml')
      await writeFile(file, text)
      const { pool } = await loadConfig({ file })
      expect(pool.groups.length + pool.providers.length + pool.labels.length + pool.redis_url.length).toBeGreaterThan(0)
    },
  )

  test('there are some', () => {
    expect(examples(guide).length).toBeGreaterThan(1)
  })
})
