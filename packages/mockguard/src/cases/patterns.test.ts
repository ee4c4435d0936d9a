import { readFileSync } from 'node:fs'
import { beforeAll, expect, test } from 'vitest'
import { baseFiles } from '../testing/dialects.ts'
import { Project } from '../testing/project.ts'
import type { RunOutcome } from '../testing/project.ts'

/** Every block of the page on mocking patterns is run as it stands. */
const page = readFileSync(new URL('../../docs/patterns.md', import.meta.url), 'utf8')

interface Block {
  readonly runner: string
  readonly expect: string
  readonly file: string
  readonly text: string
}

const blocks = [...page.matchAll(/```ts ([^\n]*)\n(.*?)```/gs)].map(([, head = '', text = ''], at): Block => {
  const attributes = Object.fromEntries(head.split(' ').map((pair) => pair.split('=') as [string, string]))
  return {
    runner: attributes['runner'] ?? '',
    expect: attributes['expect'] ?? '',
    file: attributes['file'] ?? `test/block-${at}.test.ts`,
    text,
  }
})

const shared = blocks.filter((block) => block.runner === '')
const runs = new Map<string, RunOutcome>()

beforeAll(async () => {
  for (const [name, runner] of [
    ['vitest', 'vitest-5'],
    ['node:test', 'node:test'],
  ] as const) {
    const own = [...shared, ...blocks.filter((block) => block.runner === name)]
    using project = new Project({
      ...baseFiles(runner),
      ...Object.fromEntries(own.map((block) => [block.file, block.text])),
    })
    runs.set(
      name,
      await project.run(runner, {
        args: runner === 'node:test' ? ['test/*.test.ts'] : [],
        env: { MOCKGUARD_STRICT: '1' },
      }),
    )
  }
}, 120_000)

test('the page shows enough to be worth a test', () => {
  expect(blocks.filter((block) => block.expect === 'clean').length).toBeGreaterThanOrEqual(7)
  expect(blocks.filter((block) => block.expect === 'leak').length).toBeGreaterThanOrEqual(4)
})

const labelled = (kind: string): (Block & { title: string })[] =>
  blocks
    .filter((block) => block.expect === kind)
    .map((block) => ({ ...block, title: `${block.runner}: ${/test\w*\('([^']*)'/.exec(block.text)?.[1]}` }))

test.each(labelled('clean'))('recommended, $title', ({ runner, file }) => {
  const run = runs.get(runner)!
  const statuses = run.tests.filter((one) => one.file === file).map((one) => `${one.status} ${one.message}`.trim())
  expect(new Set(statuses)).toEqual(new Set(['passed']))
  expect(run.findings.filter((one) => one.file === file)).toEqual([])
})

test.each(labelled('leak'))('never, $title', ({ runner, file }) => {
  const run = runs.get(runner)!
  expect(run.findings.filter((one) => one.file === file).map((one) => one.path)).toEqual([
    'src/utils.ts#utils.generatePassword',
  ])
  expect(run.failedFiles).toContain(file)
})
