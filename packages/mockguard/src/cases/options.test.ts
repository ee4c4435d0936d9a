import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { main } from '../cli/main.ts'
import { resolveSettings } from '../guard/options.ts'
import { githubAnnotations } from '../report/github.ts'
import { junitXml } from '../report/junit.ts'
import { baseFiles } from '../testing/dialects.ts'
import { Project } from '../testing/project.ts'

const head = `import { expect, test, vi } from 'vitest'\nimport { Svc, svc } from '../src/svc.js'\n`
const leaking = {
  'test/a.test.js': `${head}test('leaves one', () => { vi.spyOn(svc, 'send').mockReturnValue('fake') })\ntest('comes after', () => { expect(svc.send()).toBe(process.env.EXPECTED ?? 'fake') })\n`,
}

describe.each(['vitest-4', 'vitest-5'] as const)('%s', (runner) => {
  const projectWith = (pluginOptions: string, files: Record<string, string> = leaking): Project =>
    new Project({ ...baseFiles(runner, { pluginOptions }), ...files })

  describe('modes', { timeout: 60_000 }, () => {
    test('M-36 warn is green and says it once', async () => {
      using project = projectWith("{ mode: 'warn' }")
      const run = await project.run(runner)
      expect(run.code).toBe(0)
      expect(run.output.match(/Dangling mock: src\/svc\.js#svc\.send/g)).toHaveLength(1)
      expect(run.findings).toHaveLength(1)
    })

    test('M-36 off installs nothing', async () => {
      using project = projectWith('{}', {
        'test/a.test.js': `${head}test('no wrapper, no state', () => { vi.spyOn(svc, 'send'); expect(globalThis[Symbol.for('mockguard.process-state')]).toBeUndefined(); expect(vi.spyOn.toString()).not.toContain('around') })\n`,
      })
      const run = await project.run(runner, { env: { MOCKGUARD: 'off' } })
      expect([run.code, run.findings.length]).toEqual([0, 0])
    })

    test('M-36 restore is green and the next test sees the original', async () => {
      using project = projectWith("{ mode: 'restore' }")
      const run = await project.run(runner, { env: { EXPECTED: 'sent' } })
      expect(run.tests.map((one) => one.status)).toEqual(['passed', 'passed'])
      expect(run.findings).toEqual([expect.objectContaining({ path: 'src/svc.js#svc.send', restored: true })])
    })

    test('M-36 what cannot be restored fails even in restore mode', async () => {
      using project = projectWith("{ mode: 'restore' }", {
        'test/a.test.js': `${head}test('nails it down', () => { Object.defineProperty(svc, 'send', { value: vi.fn(), configurable: false, writable: false }) })\n`,
      })
      const run = await project.run(runner)
      expect(run.tests[0]).toMatchObject({ status: 'failed', message: expect.stringContaining('not restored') })
    })

    test('M-42 M-43 wrappers are gone when the file is done, and a second installation is a no-op', async () => {
      using project = new Project({
        ...baseFiles(runner, {
          pluginOptions: '{}), mockguard({}',
          vitest: "isolate: false, fileParallelism: false, maxWorkers: 1, setupFiles: ['./setup.js']",
        }),
        'setup.js': `import { vi } from 'vitest'\nglobalThis.seen ??= []\nglobalThis.seen.push(vi.spyOn)\n`,
        'test/a.test.js': `${head}test('a', () => { using s = vi.spyOn(svc, 'send'); expect(vi.isMockFunction(svc.send)).toBe(true) })\n`,
        'test/b.test.js': `${head}test('b', () => { expect(vi.spyOn.name).toBe('spyOn'); vi.spyOn(svc, 'send') })\n`,
      })
      const run = await project.run(runner)
      expect(run.findings.map((one) => [one.test, one.path])).toEqual([['b', 'src/svc.js#svc.send']])
    })

    test('M-40 an unknown Vitest is said once, and tracking still works', async () => {
      using project = new Project({
        ...baseFiles(runner, { vitest: "setupFiles: ['./break.js']" }),
        'break.js': '',
        'test/a.test.js': `${head}test('global', () => { vi.stubGlobal('fetch', 1) })\n`,
        'test/b.test.js': `${head}test('global', () => { vi.spyOn(Math, 'random') })\n`,
      })
      // The map of modules is hidden before the guard looks for it.
      const hide = `const w = globalThis.__vitest_worker__; const real = w.evaluatedModules; Object.defineProperty(w, 'evaluatedModules', { get() { return new Error().stack.includes('at evaluatedModules') ? { idToModuleMap: 'moved' } : real } })`
      project.write({
        'hide.mjs': hide,
        'vitest.config.mjs': readFileSync(project.path('vitest.config.mjs'), 'utf8')
          .replace('plugins: [', "plugins: [{ name: 'hide', configureServer() {} }, ")
          .replace("setupFiles: ['./break.js']", 'setupFiles: []')
          .replace(
            'export default {',
            "const hide = { name: 'hide-first', enforce: 'post', config(config) { config.test.setupFiles.unshift(new URL('./hide.mjs', import.meta.url).pathname) } }\nexport default {",
          )
          .replace('mockguard({})]', 'mockguard({}), hide]'),
      })
      const run = await project.run(runner)
      expect(run.output).toContain('this Vitest keeps its modules in a way that is not known')
      expect(run.findings.map((one) => one.path).sort()).toEqual(['globalThis#Math.random', 'globalThis#fetch'])
    })
  })

  describe('allow list and baseline', { timeout: 60_000 }, () => {
    test('M-37 an entry with a reason allows, an unused one is told', async () => {
      using project = projectWith(
        "{ allow: [{ path: 'src/svc.js#svc.send', reason: 'shared fake' }, { path: /never/, reason: 'old' }] }",
      )
      const run = await project.run(runner)
      expect([run.code, run.findings.length]).toEqual([0, 0])
      expect(run.output).toContain('mockguard: allow entry /never/ was not needed (old): remove it')
    })

    test('M-37 an expired entry fails and says when it expired', async () => {
      using project = projectWith(
        "{ allow: [{ path: 'src/svc.js#svc.send', reason: 'until the rewrite', until: '2020-01-31' }] }",
      )
      const run = await project.run(runner)
      expect(run.tests[0]).toMatchObject({
        status: 'failed',
        message: expect.stringContaining('its allow entry expired on 2020-01-31 (until the rewrite)'),
      })
    })

    test.each([['src/x.ts#a'], [/pattern/], [{ path: 'src/x.ts#a', reason: ' ' }]])(
      'M-37 %o without a reason is an error of the configuration',
      (entry) => {
        expect(() => resolveSettings({ allow: [entry] }, '/project', {})).toThrow(/has no reason/)
      },
    )

    test('M-37 inline allowance with a reason', async () => {
      using project = projectWith('{}', {
        'test/a.test.js': `${head}import { allow } from '@mainstay/mockguard'\ntest('allows it', () => { vi.spyOn(svc, 'send'); allow(svc, 'send', 'on purpose') })\n`,
      })
      expect((await project.run(runner)).findings).toEqual([])
    })

    test('M-38 a baseline tolerates old leaks, fails on new ones, and must shrink', async () => {
      using project = projectWith("{ baseline: 'baseline.json' }")
      const said: string[] = []
      const vitest = project.path('node_modules/vitest/vitest.mjs')
      const code = await main(
        [
          '--write-baseline',
          'baseline.json',
          '--root',
          project.folder,
          '--',
          process.execPath,
          vitest,
          'run',
          '--root',
          project.folder,
        ],
        (text) => said.push(text),
      )
      expect([code, said.at(-1)]).toEqual([0, expect.stringContaining('1 dangling mocks are tolerated from now on')])
      expect((await project.run(runner)).code).toBe(0)

      project.write({
        'test/a.test.js': leaking['test/a.test.js'].replace(
          "test('comes",
          "test('new one', () => { vi.spyOn(Svc, 'make') })\ntest('comes",
        ),
      })
      const worse = await project.run(runner)
      expect(worse.findings.map((one) => one.path)).toEqual(['src/svc.js#Svc.make'])

      project.write({ 'test/a.test.js': `${head}test('leaves one', () => {})\n` })
      const fixed = await project.run(runner)
      expect(fixed.failedFiles).toEqual(['test/a.test.js'])
      expect(fixed.output).toContain('Fixed, but still in')
    })
  })

  describe('strict, unique, kinds', { timeout: 60_000 }, () => {
    const strictFiles = {
      'test/a.test.js': `${head}
const shared = vi.fn(() => 1)
test('patches a prototype', () => { Array.prototype.last = function () { return this.at(-1) } })
test('changes a shared implementation', () => { shared.mockReturnValue(2) })
test('changes the directory', () => { process.chdir('/') })
test('changes the stack limit', () => { Error.stackTraceLimit = 3 })
test('silences the console', () => { console.debug = () => {} })
test('clean', () => { shared(); process.title })
`,
    }

    test('M-16 M-17 strict sees patches, changed implementations and process state', async () => {
      using project = projectWith('{ strict: true }', strictFiles)
      const run = await project.run(runner, { args: ['--pool=forks'] })
      expect(run.findings.map((one) => [one.test, one.kind])).toEqual([
        ['patches a prototype', 'K14'],
        ['changes a shared implementation', 'K15'],
        ['changes the directory', 'K16'],
        ['changes the stack limit', 'K16'],
        ['silences the console', 'K16'],
      ])
    })

    test('M-16 M-17 and is quiet about them when it is off', async () => {
      using project = projectWith('{}', strictFiles)
      expect((await project.run(runner, { args: ['--pool=forks'] })).findings).toEqual([])
    })

    const twice = {
      'test/a.test.js': `${head}
test('first', () => { svc.send = vi.fn() })
test('second, same mock', () => {})
test('third, another mock in the same slot', () => { svc.send = vi.fn() })
`,
    }

    test.each([
      ['true', ['first', 'third, another mock in the same slot']],
      ['false', ['first', 'second, same mock', 'third, another mock in the same slot']],
    ])('M-18 onlyUnique %s', async (onlyUnique, expected) => {
      using project = projectWith(`{ onlyUnique: ${onlyUnique} }`, twice)
      const run = await project.run(runner)
      expect(run.findings.filter((one) => one.scope === 'test').map((one) => one.test)).toEqual(expected)
    })

    test('kinds that are excluded are nobody’s leak', async () => {
      using project = projectWith("{ kinds: { exclude: ['K1'] } }")
      expect((await project.run(runner)).findings).toEqual([])
    })

    test('M-4 M-5 depth decides how far assigned mocks are searched', async () => {
      const files = {
        'test/a.test.js': `${head}import { Outer, list, handlers } from '../src/svc.js'
test('nested class', () => { Outer.Inner.prototype.go = vi.fn() })
test('array element', () => { handlers.list.push(vi.fn()) })
test('map value', () => { handlers.map.set('key', vi.fn()) })
`,
      }
      using project = projectWith('{}', files)
      expect((await project.run(runner)).findings).toEqual([])
      const deep = await project.run(runner, { env: { MOCKGUARD_DEPTH: '3' } })
      expect(deep.findings.map((one) => one.path)).toEqual([
        'src/svc.js#Outer.Inner.prototype.go',
        'src/svc.js#handlers.list[0]',
        'src/svc.js#handlers.map.key',
      ])
    })
  })

  describe('output', { timeout: 60_000 }, () => {
    test('M-39 JSON lines, annotations, JUnit and the summary say the same', async () => {
      using project = projectWith("{ junit: 'junit.xml', github: true }", {
        'test/helpers/fakes.js': `import { vi } from 'vitest'\nimport { svc } from '../../src/svc.js'\nexport function installFakes() {\n  vi.spyOn(svc, 'send')\n}\n`,
        'test/a.test.js': `${head}import { installFakes } from './helpers/fakes.js'\ntest('uses a helper', () => {\n  installFakes()\n})\ntest('odd', () => { svc[Symbol.for('a b')] = vi.fn() })\n`,
      })
      const run = await project.run(runner)
      expect(run.findings[0]).toEqual(
        expect.objectContaining({
          type: 'leak',
          file: 'test/a.test.js',
          test: 'uses a helper',
          path: 'src/svc.js#svc.send',
          kind: 'K1',
          scope: 'test',
          createdAt: 'test/helpers/fakes.js:4',
          also: ['src/index.js#svc.send'].filter(() => false),
          frames: ['installFakes (test/helpers/fakes.js:4)', 'test/a.test.js:5'],
        }),
      )
      expect(run.findings[1]?.path).toBe('src/svc.js#svc[Symbol(a b)]')
      expect(run.output).toContain(
        '::error file=test/helpers/fakes.js,line=4,title=Dangling mock::src/svc.js#svc.send is still mocked after uses a helper (K1).',
      )
      expect(readFileSync(project.path('junit.xml'), 'utf8')).toContain(
        '<property name="mockguard.path" value="src/svc.js#svc.send"/>',
      )
      expect(run.output).toMatch(
        /mockguard: 2 tests in 1 files looked at in [\d.]+ ms, 2 dangling mocks\n\s+made at\n\s+1 {2}test\/a\.test\.js:7\n\s+1 {2}test\/helpers\/fakes\.js:4/,
      )
      expect(run.tests[0]?.message).toContain(
        'created at       installFakes (test/helpers/fakes.js:4) ← test/a.test.js:5',
      )
    })

    test('M-39 escapes what the formats reserve', () => {
      const finding = {
        type: 'leak',
        file: 'a,b:c.ts',
        test: '<x> & "y"\n%',
        path: 'p#q',
        kind: 'K1',
        scope: 'test',
        createdAt: null,
        also: [],
        creator: null,
        frames: [],
        line: 3,
        original: '',
        current: '',
        fix: 'f',
      } as const
      expect(githubAnnotations([finding])).toEqual([
        '::error file=a%2Cb%3Ac.ts,line=3,title=Dangling mock::p#q is still mocked after <x> & "y"%0A%25 (K1). Fix: f',
      ])
      expect(junitXml([finding])).toContain('name="&lt;x&gt; &amp; &quot;y&quot;\n%"')
    })

    test('M-44 bisect finds the test that a passing victim depends on', async () => {
      const others = Array.from({ length: 9 }, (_, at) => `test('bystander ${at}', () => {})`).join('\n')
      using project = projectWith('{}', {
        'test/a.test.js': `${head}${others}\ntest('polluter', () => { svc.send = vi.fn(() => 'fake') })\n${others.replaceAll('bystander', 'witness')}\ntest('victim', () => { expect(svc.send()).toBe('fake') })\n`,
      })
      const said: string[] = []
      const code = await main(
        ['bisect', 'test/a.test.js', 'victim', '--root', project.folder, '--runner', 'vitest'],
        (text) => said.push(text),
      )
      expect(said.join('\n')).toMatch(
        /"victim" fails alone and passes after the 19 tests before it \(\d+ runs\)\nIt depends on:\n {2}polluter/,
      )
      expect(code).toBe(1)
      expect(existsSync(project.path('mockguard-report.jsonl'))).toBe(false)
    })
  })
})
