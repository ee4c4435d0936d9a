import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import { silentLogger } from '../../core/logging.ts'
import { SeenFile } from './seen-file.ts'

const logger = silentLogger()

async function scratch(): Promise<AsyncDisposable & { path: string; directory: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'mainstay-seen-'))
  return {
    directory,
    path: join(directory, 'seen.json'),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true }),
  }
}

test('what was seen is there after a restart, written now and then and at the end', async () => {
  await using place = await scratch()
  const clock = new ManualClock()
  const first = new SeenFile(place.path, { clock, logger })
  expect(first.load()).toBeUndefined()
  for (let seq = 1; seq <= 100; seq += 1) first.note({ epoch: 'e', seq, id: `id-${seq}` })
  expect(await readdir(place.directory)).toEqual([])
  await clock.advance(1000)
  first.note({ epoch: 'e', seq: 101, id: 'id-101' })
  await first[Symbol.asyncDispose]()
  expect(await readdir(place.directory)).toEqual(['seen.json'])
  expect(new SeenFile(place.path, { clock, logger }).load()).toEqual({ epoch: 'e', seq: 101, id: 'id-101' })
  expect(clock.pending).toBe(0)
})

test.each(['', 'garbage', '[]', '{"epoch":1}', '{"epoch":"e","seq":1.5,"id":""}'])(
  'a damaged file (%j) is no evidence',
  async (text) => {
    await using place = await scratch()
    await writeFile(place.path, text)
    expect(new SeenFile(place.path, { clock: new ManualClock(), logger }).load()).toBeUndefined()
  },
)

test('a place that cannot be written keeps nobody from working', async () => {
  await using place = await scratch()
  const file = new SeenFile(join(place.directory, 'no such directory', 'seen.json'), {
    clock: new ManualClock(),
    logger,
  })
  file.note({ epoch: 'e', seq: 1, id: '' })
  await file[Symbol.asyncDispose]()
  await expect(readFile(place.path, 'utf8')).rejects.toThrow('ENOENT')
})
