import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseEnv } from 'node:util'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Cluster } from '../cluster.ts'
import { TestkitError } from '../errors.ts'
import { findByEnvironment } from '../process/process-table.ts'
import { runProgram } from '../process/run.ts'
import { httpServer, page, rejection, script, withCluster } from '../testing/fixture-server.ts'
import { renderTemplate } from './placeholders.ts'
import { formatScalar, serialise } from './serialise.ts'

const oneshot = script('', { launch: 'oneshot' })

describe('config files (testkit.md A3.1)', { timeout: 180_000 }, () => {
  test('H-1 a start override is used for that start only', async () => {
    const server = { ...oneshot, config: { port: 1 }, files: [{ name: 'a.conf', content: 'port = %(port)s\n' }] }
    await withCluster([server], async (cluster) => {
      const api = cluster.get('script')
      const read = (): string => readFileSync(join(api.folders.etc, 'a.conf'), 'utf8')
      await api.start({ port: 2 })
      expect(read()).toBe('port = 2\n')
      expect(api.config()).toEqual({ port: 1 })
      await api.start()
      expect(read()).toBe('port = 1\n')
    })
  })

  test('H-2 an unknown placeholder is refused before anything is started, with file, line, key and the nearest key', async () => {
    const server = {
      ...oneshot,
      config: { workers: 1 },
      files: [{ name: 'a.conf', content: 'x = 1\nworkers = %(wrokers)s\n' }],
    }
    await withCluster([server], async (cluster) => {
      const error = await rejection(cluster.start('script'))
      expect(error.code).toBe('TK_CONFIG_PLACEHOLDER')
      expect(error.message).toContain('a.conf:2: unknown placeholder %(wrokers)s. Did you mean %(workers)s?')
      expect(findByEnvironment([cluster.marker])).toEqual([])
      expect(cluster.get('script').pid).toBeUndefined()
    })
  })

  test('H-3 a server without files starts; with requireConfig it is refused', async () => {
    const strict = { ...oneshot, name: 'strict', files: [], requireConfig: true }
    await withCluster([oneshot, strict], async (cluster) => {
      await expect(cluster.start('script')).resolves.toMatchObject({ exitCode: 0 })
      expect((await rejection(cluster.start('strict'))).message).toContain('no configuration')
    })
  })

  test('H-4 all files are rendered and shown on failure, the old ones kept, a dropped one removed', async () => {
    const server = script('process.exit(Number(process.env.CODE))', {
      launch: 'oneshot',
      config: { second: true, code: 0 },
      env: ({ config }) => ({ CODE: String(config['code']) }),
      files: [
        { name: 'core.conf', content: 'core %(code)s\n' },
        { name: 'paste.ini', content: ({ config }) => (config['second'] === true ? 'pipeline\n' : undefined) },
      ],
    })
    await withCluster([server], async (cluster) => {
      const { etc } = cluster.get('script').folders
      await cluster.start('script')
      const error = await rejection(cluster.start('script', { code: 5 }))
      expect(error.message).toMatch(/core\.conf\ncore 5[\s\S]*paste\.ini\npipeline/)
      expect(readFileSync(join(etc, 'core.conf.1'), 'utf8')).toBe('core 0\n')
      await cluster.start('script', { second: false })
      expect(existsSync(join(etc, 'paste.ini'))).toBe(false)
      expect(existsSync(join(etc, 'paste.ini.1'))).toBe(true)
    })
  })

  test('H-5 oslo style writes True, joins lists and drops undefined', () => {
    const values = { on: true, list: ['a', 'b'], gone: undefined }
    expect(
      renderTemplate('on = %(on)s\nlist = %(list)s\ngone = %(gone)s\nend', values, { file: 'f', style: 'oslo' }),
    ).toBe('on = True\nlist = a,b\nend')
    expect(serialise({ DEFAULT: values }, 'a.conf', 'oslo')).toBe('[DEFAULT]\non = True\nlist = a,b\n')
  })

  test('H-6 secrets are hidden in messages and clear in a file that only the owner reads', async () => {
    const server = script('process.exit(1)', {
      launch: 'oneshot',
      config: { admin_password: 'hunter2-long' },
      files: [{ name: 'a.conf', content: 'admin_password = %(admin_password)s\nurl = mysql://root:pw-in-url@h/db\n' }],
    })
    await withCluster([server], async (cluster) => {
      const error = await rejection(cluster.start('script'))
      expect(error.message).not.toContain('hunter2-long')
      expect(error.message).not.toContain('pw-in-url')
      expect(error.message).toContain('admin_password = ***')
      const path = join(cluster.get('script').folders.etc, 'a.conf')
      expect(readFileSync(path, 'utf8')).toContain('hunter2-long')
      expect(statSync(path).mode & 0o777).toBe(0o600)
    })
  })

  test('H-7 a misspelt override is refused, unless unknown keys are allowed', async () => {
    await withCluster([{ ...oneshot, config: { workers: 1 } }], async (cluster) => {
      const error = await rejection(cluster.start('script', { wokers: 2 }))
      expect(error.message).toContain('no configuration key "wokers"; did you mean "workers"?')
      await expect(cluster.start('script', { wokers: 2 }, { allowUnknown: true })).resolves.toMatchObject({
        exitCode: 0,
      })
      await expect(cluster.startAll({ wokers: 2 })).rejects.toThrow('no server has a configuration key "wokers"')
    })
  })

  test('H-8 data files are copied with their mode, and a running server sees a new policy', async () => {
    const cluster = await Cluster.create({ name: 'data', keep: 'never' })
    const source = join(cluster.dir, 'policy-source.json')
    writeFileSync(source, '{"default":"old"}', { mode: 0o640 })
    cluster.add(
      httpServer({
        dataFiles: [{ from: pathToFileURL(source), to: 'etc/policy.json' }],
        env: ({ etc }) => ({ POLICY_FILE: join(etc, 'policy.json') }),
      }),
    )
    cluster.add({ ...oneshot, name: 'broken', dataFiles: [{ from: '/does/not/exist', to: 'etc/x' }] })
    try {
      await cluster.start('api')
      const { url, folders } = cluster.get('api')
      expect(statSync(join(folders.etc, 'policy.json')).mode & 0o777).toBe(0o640)
      expect(await page(`${url}/policy`)).toBe('{"default":"old"}')
      cluster.setPolicy({ default: 'new' })
      expect(JSON.parse(await page(`${url}/policy`))).toEqual({ default: 'new' })
      const error = await rejection(cluster.start('broken'))
      expect(error.message).toContain('/does/not/exist')
      expect(error.message).toContain(join(cluster.get('broken').dir, 'etc/x'))
    } finally {
      await cluster.dispose()
    }
  })

  test.each([
    ['a.json', '{\n  "a": 1,\n  "b": {\n    "c": "x"\n  }\n}\n'],
    ['a.yaml', 'a: 1\nb:\n  c: "x"\n'],
    ['a.toml', 'a = 1\n\n[b]\nc = "x"\n'],
    ['a.ini', 'a = 1\n\n[b]\nc = x\n'],
    ['a.env', 'a=1\nb={"c":"x"}\n'],
  ])('an object is written in the language of %s', (file, text) => {
    expect(serialise({ a: 1, b: { c: 'x' }, gone: undefined }, file)).toBe(text)
  })

  test.each([
    ['a#b', "'a#b'"],
    ['a # b', "'a # b'"],
    [' lead', "' lead'"],
    ['x\nEVIL=1', "'x\nEVIL=1'"],
    [`it's`, `it's`],
    [`it's #1`, `"it's #1"`],
    [`it's "q" #1`, `\`it's "q" #1\``],
    ['"quoted"', `'"quoted"'`],
    ['back\\n', 'back\\n'],
    ['', ''],
  ])('an env file says %j as %s, and it reads back', (value, text) => {
    const file = serialise({ PW: value, NEXT: 1 }, '.env')
    expect(file).toBe(`PW=${text}\nNEXT=1\n`)
    expect({ ...parseEnv(file) }).toEqual({ PW: value, NEXT: '1' })
  })

  test('whatever an env file says reads back, or it is refused', () => {
    const readBack = (value: string): unknown => {
      try {
        return { ...parseEnv(serialise({ A: value, B: 'next' }, 'x.env')) }
      } catch (error) {
        return error instanceof TestkitError ? 'refused' : error
      }
    }
    const marks = Array.from(`ab #'"\`\\=\n\r\t$x`)
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...marks) }), (value) => {
        expect(['refused', { A: value, B: 'next' }]).toContainEqual(readBack(value))
      }),
    )
    expect(readBack(`'"\` #`)).toBe('refused')
  })

  test.each(['.env', '.env.test', 'app.env'])('%s is an env file', (file) => {
    expect(serialise({ A: 1 }, file)).toBe('A=1\n')
  })

  test.each<[object, string, string]>([
    [{ 'A B': 1 }, 'a.env', '"A B" cannot be the name of a variable'],
    [{ A: null }, 'a.toml', 'a.toml cannot hold null, which is the value of "A"'],
    [{ A: { list: [1, null] } }, 'a.toml', 'null, which is the value of "list"'],
    [{ A: 'x\n[evil]\nb=1' }, 'a.cnf', 'a.cnf cannot hold this line break, which is the value of "A"'],
    [{ A: 'x\n\ny' }, 'a.ini', 'a.ini cannot hold this line break, which is the value of "A"'],
    [{ A: { 'b\r': 1 } }, 'a.conf', 'a.conf cannot hold this line break'],
    [{}, 'a.xml', 'cannot write an object to a.xml'],
  ])('%j is refused in %s', (value, file, message) => {
    expect(() => serialise(value, file)).toThrow(expect.objectContaining({ code: 'TK_BAD_SPEC' }))
    expect(() => serialise(value, file)).toThrow(message)
  })

  test('a value of several lines is one value to a reader of INI files', async () => {
    const text = serialise({ main: { a: 'x\n[evil]\nb=1', c: 2 } }, 'a.ini')
    expect(text).toBe('[main]\na = x\n\t[evil]\n\tb=1\nc = 2\n')
    const code =
      'import configparser, json, sys; c = configparser.ConfigParser(); c.read_string(sys.stdin.read()); ' +
      'print(json.dumps({s: dict(c[s]) for s in c.sections()}))'
    const { stdout } = await runProgram(['python3', '-c', code], { input: text })
    expect(JSON.parse(stdout)).toEqual({ main: { a: 'x\n[evil]\nb=1', c: '2' } })
  })

  test.each([
    ['a.toml', 'd = 1970-01-01T00:00:00.000Z\nn = nan\ni = -inf\n'],
    ['a.yaml', 'd: "1970-01-01T00:00:00.000Z"\nn: .nan\ni: -.inf\n'],
    ['a.ini', 'd = 1970-01-01T00:00:00.000Z\nn = null\ni = null\n'],
  ])('times and what is no number, in %s', (file, text) => {
    expect(serialise({ d: new Date(0), n: Number.NaN, i: -Infinity }, file)).toBe(text)
  })

  test('a template without placeholders comes out as it went in, percent signs doubled', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(renderTemplate(text.replaceAll('%', '%%'), {}, { file: 'f' })).toBe(text)
      }),
    )
  })

  test('a value is found under its dotted name', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme-ascii' }).filter((s) => !s.includes('\n')),
        (value) => {
          expect(renderTemplate('%(a.b)s', { a: { b: value } }, { file: 'f' })).toBe(formatScalar(value, 'plain'))
        },
      ),
    )
  })

  test('later overrides win: spec, cluster, configure(), start', async () => {
    const server = {
      ...oneshot,
      config: { a: 'spec', b: 'spec', c: 'spec', d: 'spec' },
      files: [{ name: 'a.conf', content: '%(a)s %(b)s %(c)s %(d)s %(name)s' }],
    }
    await withCluster(
      [server],
      async (cluster) => {
        const one = cluster.get('script')
        one.configure({ c: 'configured', d: 'configured' })
        await one.start({ d: 'start' })
        expect(one.renderedConfig()).toEqual({ 'a.conf': 'spec cluster configured start script' })
        expect(() => one.configure({ e: 1 })).toThrow('no configuration key "e"')
      },
      { overrides: { b: 'cluster', c: 'cluster', d: 'cluster' } },
    )
  })

  test('H-7 a key of the cluster’s overrides that no server has is an error when the first is started', async () => {
    const a = { ...oneshot, name: 'a', config: { a: 'spec' } }
    const overrides = { a: 'cluster', b: 'cluster' }
    await withCluster(
      [a],
      async (cluster) => {
        expect(await rejection(cluster.start('a'))).toMatchObject({ code: 'TK_CONFIG_UNKNOWN_KEY' })
        expect(cluster.get('a').state).toBe('new')
        cluster.add({ ...oneshot, name: 'late', config: { b: 'spec' } })
        await cluster.startAll()
        expect(cluster.servers.map((server) => server.config())).toEqual([{ a: 'cluster' }, { b: 'cluster' }])
      },
      { overrides },
    )
    await withCluster([a], async (cluster) => expect(await cluster.start('a')).toMatchObject({ exitCode: 0 }), {
      overrides,
      allowUnknown: true,
    })
  })

  test('a relative data file is refused: relative to what?', async () => {
    const cluster = await Cluster.create({ name: 'data', keep: 'never' })
    mkdirSync(join(cluster.dir, 'x'))
    expect(() => cluster.copyDataFile({ from: 'policy.json', to: 'y' })).toThrow(
      'use new URL("policy.json", import.meta.url)',
    )
    await cluster.dispose()
  })
})
