import { readFile } from 'node:fs/promises'

import { expect, test } from 'vitest'

import { cliReference } from './reference.ts'

const PAGE = new URL('../../../../docs/reference/cli.md', import.meta.url)

test('the page of commands is current; "node scripts/generate-cli-reference.ts" brings it up to date', async () => {
  expect(await readFile(PAGE, 'utf8')).toBe(await cliReference())
})

test('every command and every exit code stands on it once', async () => {
  const page = await cliReference()
  const titles = [...page.matchAll(/^## (mainstay .*)$/gm)].map(([, title]) => title)
  expect(new Set(titles).size).toBe(titles.length)
  expect(titles).toEqual(
    expect.arrayContaining(['mainstay serve', 'mainstay host create', 'mainstay recovery explain', 'mainstay fence']),
  )
  for (const code of [0, 1, 2, 3, 4]) expect(page).toContain(`| ${code} | `)
})
