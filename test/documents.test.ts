import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { describe, expect, test } from 'vitest'

import { figuresOf, misquoted } from './support/bench-figures.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))

const pages = globSync(['*.md', 'docs/**/*.md', 'bench/*.md', 'packages/*/README.md'], { cwd: ROOT }).sort()
const read = (page: string): string => readFileSync(join(ROOT, page), 'utf8')

test('every figure that a page quotes is the one that its benchmark has', () => {
  const figures = pages.flatMap((page) => figuresOf(page, read(page)))
  const measured = figures.filter(({ page, name }) => page === `bench/${name.split('.')[0]}.md`)
  const quoted = figures.filter((figure) => !measured.includes(figure))
  expect(measured.length).toBeGreaterThan(0)
  expect(misquoted(quoted, measured)).toEqual([])
})

test('every link to a file of the repository leads somewhere', () => {
  const broken = pages.flatMap((page) =>
    [...read(page).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)[^)]*\)/g)]
      .map(([, target]) => target!)
      .filter((target) => !existsSync(join(ROOT, dirname(page), target)))
      .map((target) => `${page} → ${target}`),
  )
  expect(broken).toEqual([])
})

test('every decision is listed', () => {
  const decisions = globSync('docs/decisions/[0-9]*.md', { cwd: ROOT }).map((page) => page.split('/').at(-1)!)
  expect(decisions.filter((name) => !read('docs/decisions/index.md').includes(`(${name})`))).toEqual([])
})

describe('quoted figures', () => {
  const measured = figuresOf('bench/store.md', 'at 10: <!-- bench:store.writes -->16,406 per second')

  test.each([
    ['about <!-- bench:store.writes -->16406 writes', []],
    ['about <!-- bench:store.writes -->16,406 writes', []],
    ['    <!-- bench:store.writes -->1 is only an example', []],
    ['<!-- bench:store.writes -->20000', ['README.md quotes store.writes as 20000, but bench has 16406']],
    ['<!-- bench:store.reads -->5', ['README.md quotes store.reads, which bench/store.md does not have']],
  ])('%s', (text, wrong) => {
    expect(misquoted(figuresOf('README.md', text), measured)).toEqual(wrong)
  })

  test('a mark without a number is not passed over', () => {
    expect(() => figuresOf('README.md', '<!-- bench:store.writes --> many')).toThrow(
      /1 bench marks have no name or number/,
    )
  })
})
