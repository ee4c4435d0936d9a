import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'

import { forbidServices, missingPackages } from '../scripts/install-packages.ts'
import { SYSTEM_PACKAGES } from '../scripts/system-packages.ts'
import { findProgram, need } from './support/need.ts'

describe('while packages are installed, no service starts', () => {
  let directory = ''
  beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), 'mainstay-policy-'))))
  afterEach(() => rmSync(directory, { recursive: true }))
  const policy = (): string => join(directory, 'policy-rc.d')

  test('and afterwards the machine has its own policy back', () => {
    writeFileSync(policy(), '#!/bin/sh\nexit 0\n')
    const restore = forbidServices(policy())
    expect(readFileSync(policy(), 'utf8')).toContain('exit 101')
    restore()
    expect(readFileSync(policy(), 'utf8')).toBe('#!/bin/sh\nexit 0\n')
    expect(readdirSync(directory)).toEqual(['policy-rc.d'])
  })

  test('and a machine without a policy has none afterwards', () => {
    forbidServices(policy())()
    expect(existsSync(policy())).toBe(false)
  })

  test('and what a killed run left behind is put right by the next', () => {
    writeFileSync(policy(), 'its own')
    const killed = forbidServices(policy())
    forbidServices(policy())()
    expect(readFileSync(policy(), 'utf8')).toBe('its own')
    writeFileSync(`${policy()}.before-test-all`, 'its own')
    killed()
    expect(readFileSync(policy(), 'utf8')).toBe('its own')
  })
})

test('what is not installed is missing, and what is no package is too', (ctx) => {
  need(ctx, { program: 'dpkg-query', package: 'dpkg' })
  const wanted = ['dpkg', 'no-such-package-of-ours'].map((name) => ({ name, neededBy: 'this test' }))
  expect(missingPackages(wanted).map(({ name }) => name)).toEqual(['no-such-package-of-ours'])
})

test('every package that is asked for says which suite needs it', () => {
  expect(
    SYSTEM_PACKAGES.filter(({ neededBy }) => !/^(?:engines|e2e|real|crash|completion)\b.*: /.test(neededBy)),
  ).toEqual([])
})

describe('a program that a test needs', () => {
  const ctx = {
    skip: (note?: string): never => {
      throw new Error(`skipped: ${note}`)
    },
  }
  const missing = { program: 'no-such-program-of-ours', package: 'ours' }

  test('is found where it is', () => {
    expect(need(ctx, { program: 'sh', package: 'dash' })).toMatch(/\/sh$/)
    expect(findProgram({ program: 'sh', directories: ['/bi*'] })).toBe('/bin/sh')
  })

  test.each([
    [undefined, 'skipped: no-such-program-of-ours not found: apt-get install ours'],
    ['1', 'no-such-program-of-ours not found: apt-get install ours'],
  ])('and is missing: with MAINSTAY_TEST_ALL=%s: %s', (all, message) => {
    vi.stubEnv('MAINSTAY_TEST_ALL', all)
    onTestFinished(() => void vi.unstubAllEnvs())
    expect(() => need(ctx, missing)).toThrow(new Error(message))
  })
})
