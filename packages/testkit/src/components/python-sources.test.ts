import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { homeDir, removeQuietly } from '../home.ts'
import { pythonSources } from './python-sources.ts'

const work = join(homeDir('own-tests'), `python-${process.pid}`)
afterAll(() => removeQuietly(work))

function make(path: string): string {
  const whole = join(work, path)
  mkdirSync(dirname(whole), { recursive: true })
  writeFileSync(whole, '', { mode: 0o755 })
  return whole
}

test('what decides the schema is found beside the program, also by way of a link', () => {
  const program = make('venv/bin/app-manage')
  for (const file of ['app/db/one.py', 'app-2.0.dist-info/METADATA', 'app_other-1.0.dist-info/METADATA'])
    make(`venv/lib/python3.12/site-packages/${file}`)
  make('venv/lib/node/app/db/one.py')
  const link = join(work, 'app-manage')
  symlinkSync(program, link)
  const packages = join(work, 'venv/lib/python3.12/site-packages')
  const sources = [join(packages, 'app/db'), join(packages, 'app-2.0.dist-info')]
  expect(pythonSources(link, 'app/db')).toEqual({ sources })
  expect(pythonSources(program, 'app/db', ['/more'])).toEqual({ sources: [...sources, '/more'] })
})

test('nothing is known of a package that is elsewhere, nor of a program that is not there', () => {
  const program = make('elsewhere/bin/app-manage')
  make('elsewhere/lib/python3/dist-packages/app/__init__.py')
  expect(pythonSources(program, 'app/db', ['/more'])).toEqual({})
  expect(pythonSources(join(work, 'gone'), 'app/db', ['/more'])).toEqual({})
})
