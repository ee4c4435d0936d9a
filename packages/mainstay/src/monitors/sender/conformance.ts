import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { errorCode } from '../../core/errors.ts'
import type { SpoolDirectory } from './spool-directory.ts'

/** What every spool directory has to do, whatever it is made of. `make` gives an empty one. */
export function spoolDirectoryConformance(name: string, make: () => Promise<SpoolDirectory>): void {
  describe(`a spool directory: ${name}`, () => {
    let directory: SpoolDirectory

    beforeEach(async () => {
      directory = await make()
    })

    afterEach(async () => {
      await directory.close()
    })

    async function write(file: string, ...texts: string[]): Promise<void> {
      const opened = await directory.append(file)
      for (const text of texts) await opened.write(text)
      await opened.sync()
      await opened.close()
    }

    test('is empty at first', async () => {
      expect(await directory.list()).toEqual([])
    })

    test('appends to what is there', async () => {
      await write('a', 'one\n', 'zwölf\n')
      await write('a', 'three\n')
      expect(await directory.read('a')).toBe('one\nzwölf\nthree\n')
    })

    test('gives a file its final name while it stays open, in place of another', async () => {
      await write('final', 'old')
      const file = await directory.append('draft')
      await file.write('1')
      await directory.rename('draft', 'final')
      await file.write('2')
      await file.sync()
      await file.close()
      expect(await directory.read('final')).toBe('12')
      expect(await directory.list()).toEqual(['final'])
    })

    test('removes a file, also one that is gone already', async () => {
      await write('a', 'x')
      await directory.remove('a')
      await directory.remove('a')
      expect(await directory.list()).toEqual([])
    })

    test('says with a system error what is not there', async () => {
      const error = await directory.read('nothing').catch((thrown: unknown) => thrown)
      expect(errorCode(error)).toBe('ENOENT')
    })
  })
}
