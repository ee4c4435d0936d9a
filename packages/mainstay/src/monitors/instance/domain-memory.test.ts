import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { InvalidInputError } from '../../core/errors.ts'
import { DomainMemoryFile } from './domain-memory.ts'
import type { KnownDomain } from './known-domain.ts'

const known: KnownDomain = {
  name: 'instance-1',
  state: 3,
  reason: 5,
  sinceMs: Date.UTC(2026, 10, 21, 1, 2, 3, 456),
  persistent: true,
  incoming: false,
  pauseTold: 'SUSPENDED_IOERROR',
  instanceUuid: null,
}

let directory: string
let path: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mainstay-memory-'))
  path = join(directory, 'state', 'instance-domains.json')
})

afterEach(async () => {
  await rm(directory, { recursive: true })
})

describe('what is known of the domains, on disk (monitors 7.5)', () => {
  test('is nothing before the first start', async () => {
    expect(await new DomainMemoryFile(path).load()).toBeUndefined()
  })

  test('comes back as it was written, and nothing else is left in the folder', async () => {
    const file = new DomainMemoryFile(path)
    await file.save(new Map([['old', known]]))
    const latest = new Map([
      ['u', known],
      ['v', { ...known, pauseTold: null, instanceUuid: 'abc', incoming: true }],
    ])
    await file.save(latest)
    expect(await new DomainMemoryFile(path).load()).toEqual(latest)
    expect(await readdir(join(directory, 'state'))).toEqual(['instance-domains.json'])
  })

  test('a replacement that was torn by a crash is not looked at', async () => {
    const file = new DomainMemoryFile(path)
    await file.save(new Map([['u', known]]))
    await writeFile(`${path}.new`, '{"version":1,"dom')
    expect(await file.load()).toEqual(new Map([['u', known]]))
  })

  test('a file that is no JSON is told, a domain that makes no sense is left out', async () => {
    const file = new DomainMemoryFile(path)
    await file.save(new Map())
    await writeFile(path, 'garbage')
    await expect(file.load()).rejects.toThrow(InvalidInputError)
    await writeFile(path, '{"version":1,"domains":{"u":{"name":1},"v":null}}')
    expect(await file.load()).toEqual(new Map())
  })
})
