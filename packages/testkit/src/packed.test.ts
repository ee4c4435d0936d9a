import {
  cpSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runProgram, type RunResult } from './process/run.ts'

/** What a stranger gets: the tarball, installed under node_modules, where Node strips no types; and the page to go by. */
const packageFolder = fileURLToPath(new URL('..', import.meta.url))
const modules = fileURLToPath(new URL('../../../node_modules', import.meta.url))
const page = readFileSync(join(packageFolder, 'README.md'), 'utf8')

/** The files of the page's first part by name; there are two tests of one name, for the two runners. */
const blocks = [...page.matchAll(/^```[jt]s\n\/\/ (\S+)\n([^]*?)^```$/gm)].map(([, name = '', text = '']) => ({
  name,
  text,
}))
const tests = blocks.filter(({ name }) => name === 'api.test.ts').map(({ text }) => text)

/** Makes the package as it is after `git clone` and `npm install`: nothing of it is compiled. Returns its folder. */
function freshClone(clone: string): string {
  const own = join(clone, 'packages', 'testkit')
  const made = ['dist', 'node_modules', 'tsconfig.tsbuildinfo'].map((name) => join(packageFolder, name))
  cpSync(packageFolder, own, { recursive: true, filter: (path) => !made.includes(path) })
  cpSync(join(packageFolder, '../../tsconfig.base.json'), join(clone, 'tsconfig.base.json'))
  symlinkSync(modules, join(clone, 'node_modules'))
  return own
}

describe('the packed package, by the first five minutes of its page', { timeout: 180_000 }, () => {
  let folder = ''

  /** The runner, and the npm, that run this test are not to be taken for those that are started. */
  const env = Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !/^(?:VITEST|NODE_TEST|NODE_OPTIONS|NODE_ENV|TEST$|npm_)/.test(name),
    ),
  )
  const options = { env: { ...env, NO_COLOR: '1' }, timeoutMs: 120_000 }
  const run = (command: readonly string[]): Promise<RunResult> =>
    runProgram(command, { ...options, cwd: folder, expectExitCode: 'any' })

  beforeAll(async () => {
    folder = realpathSync(mkdtempSync(join(tmpdir(), 'testkit-packed-')))
    const clone = mkdtempSync(join(tmpdir(), 'testkit-clone-'))
    try {
      await runProgram(['npm', 'pack', '--pack-destination', folder], { ...options, cwd: freshClone(clone) })
    } finally {
      rmSync(clone, { recursive: true })
    }
    const packed = readdirSync(folder).find((name) => name.endsWith('.tgz'))
    writeFileSync(join(folder, 'package.json'), '{ "type": "module", "private": true }')
    const install = ['npm', 'install', '--offline', '--ignore-scripts', '--no-audit', `./${packed}`]
    await runProgram(install, { ...options, cwd: folder })
    for (const { name, text } of blocks) if (name !== 'api.test.ts') writeFileSync(join(folder, name), text)
    for (const name of ['vitest', 'vite', '@types'])
      symlinkSync(join(modules, name), join(folder, 'node_modules', name))
  }, 180_000)
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  test.each([
    ['node:test', tests[0], ['--test', '--test-reporter=tap'], /^# pass 1$/m],
    ['Vitest', tests[1], [join(modules, 'vitest/vitest.mjs'), 'run'], /Tests +1 passed/],
  ] as const)('greets under %s', async (_runner, text = '', args, passed) => {
    writeFileSync(join(folder, 'api.test.ts'), text)
    const { stdout, stderr, exitCode } = await run([process.execPath, ...args])
    expect({ output: stdout + stderr, exitCode }).toMatchObject({ output: expect.stringMatching(passed), exitCode: 0 })
    expect(stdout + stderr).not.toContain('Warning')
  })

  test('every entry point has all that its source has', async () => {
    const names = `
      const names = async (path) => Object.keys(await import(path)).sort().join()
      const [entry, source] = [await names(process.argv[1]), await names(process.argv[2])]
      if (entry !== source) throw new Error(entry + ' is not ' + source)`
    for (const name of ['index', 'node-test']) {
      const paths = [`entry/${name}.js`, `src/${name}.ts`].map((path) => join(packageFolder, path))
      expect(await run([process.execPath, '--input-type=module', '-e', names, ...paths])).toMatchObject({ exitCode: 0 })
    }
  })

  test('its types need no options of the compiler that the user may not have set', async () => {
    const compiler = [process.execPath, join(modules, 'typescript/bin/tsc')]
    const strict = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'esnext', '--types', 'node']
    expect(await run([...compiler, ...strict, 'servers.ts'])).toMatchObject({ stdout: '', exitCode: 0 })
  })

  test('nothing of its tests is in it', async () => {
    const installed = join(folder, 'node_modules/@mainstay/testkit')
    const { stdout } = await run(['find', installed, '-name', '*.test.*', '-o', '-name', 'testing'])
    expect(stdout).toBe('')
  })
})
