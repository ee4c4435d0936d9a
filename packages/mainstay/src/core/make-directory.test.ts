import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, expect, test } from 'vitest'

import { makeDirectory } from './make-directory.ts'

const root = mkdtempSync(join(tmpdir(), 'mainstay-make-directory-'))

afterAll(() => rmSync(root, { recursive: true }))

test('makes every level that is missing, and is content with one that is there', () => {
  const path = join(root, 'a', 'b', 'c')
  makeDirectory(path)
  makeDirectory(path)
  expect(statSync(path).isDirectory()).toBe(true)
})

test('ends with an error where the file system makes no directories', () => {
  expect(() => makeDirectory('/proc/nope/below')).toThrow(/ENOENT|EACCES|EPERM|EROFS/)
})

test('ends with an error where a file is in the way', () => {
  writeFileSync(join(root, 'file'), '')
  expect(() => makeDirectory(join(root, 'file'))).toThrow('EEXIST')
  expect(() => makeDirectory(join(root, 'file', 'below'))).toThrow(/EEXIST|ENOTDIR/)
})
