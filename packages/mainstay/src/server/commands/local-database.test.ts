import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { InvalidInputError } from '../../core/errors.ts'
import { StoreSchemaError } from '../../store/index.ts'
import { migrate } from './migrate.ts'
import { purge } from './purge.ts'

let directory: string
let dataDir: string
const { signal } = new AbortController()

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mainstay-commands-'))
  dataDir = join(directory, 'data')
})

afterEach(async () => {
  await rm(directory, { recursive: true })
})

describe('commands that fail leave nothing behind', () => {
  test.each([false, true])('purge of a database that is not there (dry run: %s)', async (dryRun) => {
    const options = { set: [], env: {}, dataDir, signal, dryRun, ageInDays: 30, maxRows: -1 }
    await expect(purge(options)).rejects.toThrow(StoreSchemaError)
    expect(existsSync(dataDir)).toBe(false)
  })

  test.each(['', '/', 'postgresql://x/y'])('an import from "%s"', async (importDatabase) => {
    const options = { set: [], env: {}, dataDir, signal, dryRun: false, importDatabase }
    await expect(migrate(options)).rejects.toThrow(InvalidInputError)
    expect(existsSync(dataDir)).toBe(false)
  })
})
