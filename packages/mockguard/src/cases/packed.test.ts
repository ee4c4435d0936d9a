import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { execute } from '../testing/project.ts'

/** What a stranger gets: the tarball, installed under node_modules, where Node strips no types. */
const repository = fileURLToPath(new URL('../../../../', import.meta.url))
const leaking = `vi.spyOn(svc, 'send')`
const clean = (text: string): string => text.replace(leaking, `{ using s = ${leaking}; s.mock }`)

const files: Record<string, string> = {
  'package.json': '{ "type": "module", "private": true }',
  'svc.js': `export const svc = { send() { return 'sent' } }\n`,
  'library.mjs': `import { snapshot, diff, isMock } from '@mainstay/mockguard/core'
import { stub, env } from '@mainstay/mockguard/using'
import { mockguard, MockguardConfigError } from '@mainstay/mockguard'
const svc = { send() { return 'sent' } }
const before = snapshot({ roots: { svc } })
svc.send = Object.assign(() => 'x', { _isMockFunction: true })
console.log(diff(before, snapshot({ roots: { svc } })).map((one) => one.path).join(), isMock(svc.send))
{ using s = stub(svc, 'send', () => 'stubbed'); using e = env({ MG_PACKED: '1' }); console.log(svc.send(), process.env.MG_PACKED) }
console.log(process.env.MG_PACKED, mockguard().name, new MockguardConfigError('x').code)
`,
  'vitest.config.mjs': `import { mockguard } from '@mainstay/mockguard'\nexport default { plugins: [mockguard()], test: { include: ['v-*.js'] } }\n`,
  'v-leak.js': `import { test, vi } from 'vitest'\nimport { svc } from './svc.js'\ntest('leaves one', () => { ${leaking} })\n`,
  'v-clean.js': clean(
    `import { test, vi } from 'vitest'\nimport { svc } from './svc.js'\ntest('leaves none', () => { ${leaking} })\n`,
  ),
  'n-leak.js': `import { mock, test } from 'node:test'\nimport { svc } from './svc.js'\ntest('leaves one', () => { mock.method(svc, 'send') })\n`,
  'n-clean.js': `import { test } from 'node:test'\nimport { svc } from './svc.js'\ntest('leaves none', (t) => { t.mock.method(svc, 'send') })\n`,
  'jest/package.json': `{ "type": "commonjs", "jest": { "preset": "@mainstay/mockguard", "testMatch": ["**/j-*.js"] } }`,
  'jest/svc.js': `exports.svc = { send() { return 'sent' } }\n`,
  'jest/j-leak.js': `const { svc } = require('./svc.js')\ntest('leaves one', () => { jest.spyOn(svc, 'send') })\n`,
  'jest/j-clean.js': `const { svc } = require('./svc.js')\ntest('leaves none', () => { jest.spyOn(svc, 'send').mockRestore() })\n`,
}

describe('the packed package', { timeout: 120_000 }, () => {
  let folder = ''
  const modules = join(repository, 'node_modules')

  beforeAll(() => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'mockguard-packed-')))
    const packageFolder = join(repository, 'packages/mockguard')
    const run = (program: string, args: string[], cwd: string): string =>
      execFileSync(program, args, { cwd, encoding: 'utf8', timeout: 100_000, stdio: ['ignore', 'pipe', 'pipe'] })
    run(process.execPath, [join(modules, 'typescript/bin/tsc'), '-b'], packageFolder)
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true })
      writeFileSync(join(folder, name), text)
    }
    const packed = JSON.parse(
      run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], packageFolder),
    ) as [{ filename: string }]
    run('npm', ['install', '--offline', '--ignore-scripts', '--no-audit', `./${packed[0].filename}`], folder)
    for (const name of ['vitest', 'vite', 'jest']) symlinkSync(join(modules, name), join(folder, 'node_modules', name))
  }, 120_000)
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(VITEST|JEST|NODE_TEST|NODE_ENV|MOCKGUARD|TEST$|CI$)/.test(name)),
  )
  const start = (args: string[], cwd = folder): Promise<{ code: number; output: string }> =>
    execute(args, { cwd, env: { ...env, NO_COLOR: '1' }, timeoutMs: 60_000 })

  test('its library entry points run', async () => {
    expect(await start(['library.mjs'])).toEqual({
      code: 0,
      output: 'svc#send true\nstubbed 1\nundefined mockguard MOCKGUARD_CONFIG\n',
    })
  })

  test('its command runs', async () => {
    const { output } = await start([join(folder, 'node_modules/@mainstay/mockguard/bin/mockguard.js'), '--help'])
    expect(output).toContain('mockguard bisect')
  })

  const runners: readonly (readonly [string, (name: string) => Promise<{ code: number; output: string }>])[] = [
    ['vitest', (name) => start([join(modules, 'vitest/vitest.mjs'), 'run', `v-${name}.js`])],
    ['node:test', (name) => start(['--import', '@mainstay/mockguard/node-test', '--test', `n-${name}.js`])],
    ['jest, by its preset', (name) => start([join(modules, 'jest/bin/jest.js'), `j-${name}.js`], join(folder, 'jest'))],
  ]

  test.each(runners)('guards %s', async (_runner, run) => {
    const left = await run('leak')
    expect(left.output).toContain('Dangling mock: svc.js#svc.send')
    expect(left.code).not.toBe(0)
    const none = await run('clean')
    expect(none.output).not.toContain('Dangling mock')
    expect(none.code).toBe(0)
  })
})
