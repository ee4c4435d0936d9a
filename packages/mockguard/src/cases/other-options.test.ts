import { describe, expect, test } from 'vitest'
import { main } from '../cli/main.ts'
import { baseFiles, dialects, isJest } from '../testing/dialects.ts'
import type { Dialect } from '../testing/dialects.ts'
import { Project } from '../testing/project.ts'
import type { RunOutcome } from '../testing/project.ts'

/** What options.test.ts shows for Vitest, for the runners whose options are in `mockguard.json` (testkit.md M-18, M-30 … M-44). */
const head = (d: Dialect): string => {
  if (d.runner === 'jest') return `const { Svc, svc } = require('../src/svc.js')\n`
  return `${d.runner === 'jest-esm' ? `import { jest } from '@jest/globals'` : `import { describe, mock, test } from 'node:test'`}\nimport { Svc, svc } from '../src/svc.js'\n`
}

const leaking = (d: Dialect): Record<string, string> => ({
  'test/a.test.js': `${head(d)}test('leaves one', () => { ${d.spy('svc', 'send')} })
test('comes after', () => { if ((svc.send.mock === undefined) !== (process.env.RESTORED === '1')) throw new Error('not as expected') })\n`,
})

function projectWith(d: Dialect, options: object, files = leaking(d)): Project {
  return new Project({ ...baseFiles(d.runner), 'mockguard.json': JSON.stringify(options), ...files })
}

const run = (
  project: Project,
  d: Dialect,
  env: NodeJS.ProcessEnv = {},
  args: readonly string[] = [],
): Promise<RunOutcome> =>
  project.run(d.runner, { env, args: d.runner === 'node:test' ? [...args, 'test/*.test.js'] : args })

const found = ({ findings }: RunOutcome): string[] => findings.map((one) => `${one.test ?? 'file'}: ${one.path}`)
const statuses = ({ tests }: RunOutcome): string[] => tests.map((one) => `${one.name}: ${one.status}`)

const others = dialects.filter((d) => isJest(d.runner) || d.runner === 'node:test')

describe.each(others.map((d) => ({ runner: d.runner, d })))('$runner', { timeout: 120_000 }, ({ d }) => {
  test('M-36 M-39 warn is green, says it once, and writes JSON lines with relative paths', async () => {
    using project = projectWith(d, { mode: 'warn' })
    const outcome = await run(project, d)
    expect(outcome.code).toBe(0)
    expect(outcome.output.match(/Dangling mock: src\/svc\.js#svc\.send/g)).toHaveLength(1)
    expect(outcome.findings).toEqual([
      expect.objectContaining({ type: 'leak', file: 'test/a.test.js', test: 'leaves one', kind: 'K1', scope: 'test' }),
    ])
  })

  test('M-36 off installs nothing', async () => {
    using project = projectWith(
      d,
      {
        mode: 'off',
      },
      {
        'test/a.test.js': `${head(d)}test('no state', () => { ${d.spy('svc', 'send')}; if (globalThis[Symbol.for('mockguard.process-state')] !== undefined) throw new Error('installed') })\n`,
      },
    )
    const outcome = await run(project, d)
    expect([outcome.code, outcome.findings]).toEqual([0, []])
  })

  test('M-36 restore is green, the next test sees the original, and what cannot be restored fails', async () => {
    using project = projectWith(
      d,
      { mode: 'restore' },
      {
        ...leaking(d),
        'test/b.test.js': `${head(d)}test('nails it down', () => { Object.defineProperty(svc, 'send', { value: ${d.fn}, configurable: false, writable: false }) })\n`,
      },
    )
    const outcome = await run(project, d, { RESTORED: '1' })
    expect(statuses(outcome).toSorted()).toEqual(['comes after: passed', 'leaves one: passed', 'nails it down: failed'])
    expect(outcome.tests.find((one) => one.name === 'nails it down')?.message).toContain('not restored')
  })

  test('M-37 an allow entry with a reason allows, and one that has expired does not', async () => {
    const allow = [
      { path: 'src/svc.js#svc.send', reason: 'shared fake' },
      { path: { pattern: 'Svc\\.make$' }, reason: 'for a while', until: '2020-01-31' },
    ]
    using project = projectWith(
      d,
      { allow },
      {
        ...leaking(d),
        'test/b.test.js': `${head(d)}test('leaves another', () => { ${d.spy('Svc', 'make')} })\n`,
      },
    )
    const outcome = await run(project, d)
    expect(found(outcome)).toEqual(['leaves another: src/svc.js#Svc.make'])
    expect(outcome.tests.find((one) => one.name === 'leaves another')?.message).toContain('expired on 2020-01-31')
  })

  test('M-37 an allow entry without a reason is an error of the configuration', async () => {
    using project = projectWith(d, { allow: ['src/svc.js#svc.send'] })
    const outcome = await run(project, d)
    expect(outcome.code).not.toBe(0)
    expect(outcome.output + JSON.stringify(outcome.tests)).toContain('has no reason')
  })

  test('M-38 the baseline tolerates old leaks, fails on new ones, and has to shrink', async () => {
    const old = [{ path: 'src/svc.js#svc.send', test: 'leaves one', file: 'test/a.test.js' }]
    using project = projectWith(d, { baseline: 'base.json' })
    project.write({ 'base.json': JSON.stringify({ version: 1, leaks: old }) })
    expect((await run(project, d)).code).toBe(0)
    project.write({
      'test/a.test.js': `${head(d)}test('repaired', () => {})\ntest('new', () => { ${d.spy('Svc', 'make')} })\n`,
    })
    const worse = await run(project, d)
    expect(found(worse)).toEqual(['new: src/svc.js#Svc.make'])
    expect(worse.output).toContain('Fixed, but still in')
  })

  test('M-18 M-30 onlyUnique off tells again, and failFast skips what follows', async () => {
    using project = projectWith(
      d,
      { onlyUnique: false, failFast: true },
      {
        'test/a.test.js': `${head(d)}test('leaves one', () => { ${d.spy('svc', 'send')} })\ntest('never runs', () => { throw new Error('ran') })\n`,
        'test/b.test.js': `${head(d)}test('other file', () => {})\n`,
      },
    )
    expect(statuses(await run(project, d)).toSorted()).toEqual([
      'leaves one: failed',
      'never runs: skipped',
      'other file: passed',
    ])
    project.write({
      'mockguard.json': JSON.stringify({ onlyUnique: false }),
      'test/a.test.js': `${head(d)}test('first', () => { svc.send = ${d.fn} })\ntest('second, same mock', () => {})\ntest('third, another mock', () => { svc.send = ${d.fn} })\n`,
    })
    expect(found(await run(project, d)).filter((one) => !one.startsWith('file'))).toEqual([
      'first: src/svc.js#svc.send',
      'second, same mock: src/svc.js#svc.send',
      'third, another mock: src/svc.js#svc.send',
    ])
    project.write({ 'mockguard.json': '{}' })
    expect(found(await run(project, d))).toEqual([
      'first: src/svc.js#svc.send',
      'third, another mock: src/svc.js#svc.send',
    ])
  })

  test('M-44 bisect finds the test that a passing victim depends on', async () => {
    const many = (name: string): string =>
      Array.from({ length: 4 }, (_, at) => `test('${name} ${at}', () => {})`).join('\n')
    using project = projectWith(
      d,
      {},
      {
        'test/a.test.js': `${head(d)}${many('bystander')}
describe('group', () => { test('polluter', () => { svc.limit = 7 }) })
${many('witness')}
test('victim', () => { if (svc.limit !== 7) throw new Error('alone') })\n`,
      },
    )
    // The command starts the project's own runner; native modules are asked for as a user would.
    const options = d.runner === 'jest-esm' ? { NODE_OPTIONS: '--experimental-vm-modules' } : {}
    const said: string[] = []
    const runner = isJest(d.runner) ? 'jest' : 'node'
    const code = await main(
      ['bisect', 'test/a.test.js', 'victim', '--root', project.folder, '--runner', runner],
      (text) => said.push(text),
      options,
    )
    expect(said.join('\n')).toMatch(
      /"victim" fails alone and passes after the 9 tests before it \(\d+ runs\)\nIt depends on:\n {2}group polluter/,
    )
    expect(code).toBe(1)
  })
})

describe('processes that run several files', { timeout: 120_000 }, () => {
  const node = dialects.find((d) => d.runner === 'node:test')!
  const jest = dialects.find((d) => d.runner === 'jest')!

  test('M-33 node:test without isolation: the leak of the first file is told there, and the second is clean', async () => {
    using project = projectWith(
      node,
      { mode: 'restore+fail' },
      {
        'test/a.test.js': `${head(node)}test('leaves one', () => { svc.send = ${node.fn} })\n`,
        'test/b.test.js': `${head(node)}test('comes after', () => { if (svc.send() !== 'sent') throw new Error('mocked') })\n`,
      },
    )
    const outcome = await run(project, node, {}, ['--test-isolation=none'])
    expect(found(outcome)).toEqual(['leaves one: src/svc.js#svc.send'])
    expect(outcome.findings[0]?.file).toBe('test/a.test.js')
    expect(statuses(outcome)).toEqual(['leaves one: failed', 'comes after: passed'])
  })

  test('M-33 Jest: what one file assigns to a built-in module is told there', async () => {
    using project = projectWith(
      jest,
      {},
      {
        'test/a.test.js': `test('leaves one', () => { require('fs').existsSync = ${jest.fn} })\n`,
        'test/b.test.js': `test('other file', () => {})\n`,
      },
    )
    expect(found(await run(project, jest, {}, ['--runInBand']))).toEqual(['leaves one: node:fs#default.existsSync'])
  })

  test('M-34 Jest in worker threads', async () => {
    using project = projectWith(jest, {}, { ...leaking(jest), 'test/b.test.js': leaking(jest)['test/a.test.js']! })
    const outcome = await run(project, jest, {}, ['--workerThreads', '--maxWorkers=2'])
    expect(outcome.findings.map((one) => one.file).toSorted()).toEqual(['test/a.test.js', 'test/b.test.js'])
  })
})
