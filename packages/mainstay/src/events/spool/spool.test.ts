import { appendFile, mkdtemp, readFile, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { silentLogger } from '../../core/logging.ts'
import { nextTurn } from '../../core/turn.ts'
import { EventSpoolFullError, EventSpoolUnwritableError } from '../errors.ts'
import { newEvent, newEvents } from '../testing/new-event.ts'
import { EventSpool, type EventSpoolOptions } from './spool.ts'

async function scratch(): Promise<AsyncDisposable & { directory: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'mainstay-spool-'))
  return {
    directory: join(directory, 'deep', 'spool'),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true }),
  }
}

async function reopen(directory: string, options: Partial<EventSpoolOptions> = {}): Promise<EventSpool> {
  return await EventSpool.open({ directory, logger: silentLogger(), segmentBytes: 4000, ...options })
}

/** Takes everything off the spool, some at a time. */
async function drain(spool: EventSpool, limit = 7): Promise<string[]> {
  const ids: string[] = []
  for (let page = await spool.peek(limit); page.events.length > 0; page = await spool.peek(limit)) {
    ids.push(...page.events.map(({ id }) => id))
    await spool.drop(page.bytes)
  }
  return ids
}

describe('R7 the spool', () => {
  test('gives back what it was given, in order, over many files, and leaves no file behind', async () => {
    await using place = await scratch()
    const spool = await reopen(place.directory)
    const given = newEvents(100, 'é\u2028\n')
    for (let index = 0; index < 100; index += 5) await spool.append(given.slice(index, index + 5))
    expect((await readdir(place.directory)).length).toBeGreaterThan(5)
    const { events } = await spool.peek(3)
    expect(events).toEqual(given.slice(0, 3))
    await expect(drain(spool)).resolves.toEqual(given.map(({ id }) => id))
    expect([spool.isEmpty, spool.bytes]).toEqual([true, 0])
    await expect(readdir(place.directory)).resolves.toEqual([])
    await spool.append(newEvents(1, 'again'))
    await expect(drain(spool)).resolves.toEqual(['id-again1'])
    await spool.close()
  })

  test('takes events while it is drained', async () => {
    await using place = await scratch()
    const spool = await reopen(place.directory)
    const taken: string[] = []
    for (let round = 0; round < 30; round += 1) {
      await spool.append(newEvents(4, `${round}-`))
      const { events, bytes } = await spool.peek(3)
      taken.push(...events.map(({ id }) => id))
      await spool.drop(bytes)
    }
    taken.push(...(await drain(spool)))
    expect(taken).toEqual(
      Array.from({ length: 30 }, (_, round) => newEvents(4, `${round}-`)).flatMap((each) => each.map(({ id }) => id)),
    )
    await spool.close()
  })

  test('loses nothing when it is written and emptied at the same time', async () => {
    await using place = await scratch()
    const spool = await reopen(place.directory, { segmentBytes: 3000 })
    const taken: string[] = []
    const given = Array.from({ length: 200 }, (_, number) => newEvents(1 + (number % 3), `${number}-`))
    const writing = (async () => {
      for (const batch of given) await spool.append(batch)
    })()
    const all = given.flat().map(({ id }) => id)
    while (taken.length < all.length) {
      await nextTurn()
      const { events, bytes } = await spool.peek(50)
      taken.push(...events.map(({ id }) => id))
      await spool.drop(bytes)
    }
    await writing
    expect(taken).toEqual(all)
    await spool.close()
  })

  test('holds records that are longer than what is read at once', async () => {
    await using place = await scratch()
    const spool = await reopen(place.directory)
    const data = { text: 'x'.repeat(3_000_000) }
    await spool.append([newEvent(1, { data }), newEvent(2), newEvent(3, { data })])
    expect((await spool.peek(1)).events[0]!.data).toEqual(data)
    await expect(drain(spool)).resolves.toEqual(['id-1', 'id-2', 'id-3'])
    await spool.close()
  })

  test('is found again by the next run, from the beginning of the file that was being read', async () => {
    await using place = await scratch()
    const first = await reopen(place.directory)
    await first.append(newEvents(20))
    await first.append(newEvents(20, 'b'))
    await first.drop((await first.peek(5)).bytes)
    await first.close()
    const second = await reopen(place.directory)
    await second.append(newEvents(2, 'c'))
    const ids = await drain(second)
    expect(ids).toEqual([...newEvents(20), ...newEvents(20, 'b'), ...newEvents(2, 'c')].map(({ id }) => id))
    await second.close()
  })

  test('refuses beyond its limit, keeps what it has, and takes again once there is room', async () => {
    await using place = await scratch()
    const spool = await reopen(place.directory, { maxBytes: 10_000 })
    const accepted: string[] = []
    const fill = async (): Promise<void> => {
      for (let number = 1; ; number += 1) {
        await spool.append([newEvent(number)])
        accepted.push(`id-${number}`)
      }
    }
    await expect(fill()).rejects.toThrow(EventSpoolFullError)
    expect(spool.bytes).toBeLessThanOrEqual(10_000)
    expect(spool.bytes).toBeGreaterThan(9000)
    const { bytes } = await spool.peek(2)
    await spool.drop(bytes)
    await spool.append([newEvent('more')])
    await expect(drain(spool)).resolves.toEqual([...accepted.slice(2), 'id-more'])
    await spool.close()
  })

  test('E-224 cut off anywhere, has whole records only, all before the cut', async () => {
    await using place = await scratch()
    const first = await reopen(place.directory, { segmentBytes: 1e9 })
    await first.append(newEvents(20))
    await first.close()
    const [name = ''] = await readdir(place.directory)
    const path = join(place.directory, name)
    const whole = await readFile(path)
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: whole.length }), async (length) => {
        await writeFile(path, whole)
        await truncate(path, length)
        const spool = await reopen(place.directory)
        const expected = whole.subarray(0, length).toString('latin1').split('\n').length - 1
        await spool.append(newEvents(1, 'after'))
        const ids = await drain(spool)
        await spool.close()
        expect(ids).toEqual([...newEvents(expected).map(({ id }) => id), 'id-after1'])
      }),
      { numRuns: 60 },
    )
  })

  test('leaves out a damaged record and what is no record, and goes on behind it', async () => {
    await using place = await scratch()
    const first = await reopen(place.directory)
    await first.append(newEvents(1))
    await first.close()
    const [name = ''] = await readdir(place.directory)
    const path = join(place.directory, name)
    const line = await readFile(path)
    const damaged = Buffer.from(line)
    damaged[40] = damaged[40]! ^ 1
    await appendFile(path, Buffer.concat([damaged, Buffer.from('\n\0garbage\n00000000 {}\n'), line]))
    const spool = await reopen(place.directory)
    await expect(drain(spool, 1)).resolves.toEqual(['id-1', 'id-1'])
    await spool.close()
  })

  test('says what is wrong with its place', async () => {
    await using place = await scratch()
    await writeFile(join(place.directory, '..', '..', 'a file'), '')
    const opening = reopen(join(place.directory, '..', '..', 'a file', 'spool'))
    await expect(opening).rejects.toThrow(EventSpoolUnwritableError)
    await expect(opening).rejects.toThrow(/cannot be used .*a file.* Check its disk/)
  })
})
