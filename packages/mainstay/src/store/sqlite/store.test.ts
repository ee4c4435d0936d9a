import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { InvalidInputError } from '../../core/errors.ts'
import { storeConformance } from '../conformance.ts'
import { SqliteStore } from './store.ts'

storeConformance('SQLite', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'mainstay-store-'))
  return {
    open: async (options) => SqliteStore.open({ path: join(directory, 'mainstay.db'), ...options }),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true }),
  }
})

test.each(['', ':memory:'])('a database without a file (%j) is refused: its reader would see another one', (path) => {
  expect(() => SqliteStore.open({ path })).toThrow(InvalidInputError)
})
