import * as fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import { SystemIds } from '../../core/ids.ts'
import { createLogger, silentLogger } from '../../core/logging.ts'
import { SpoolFullError, SpoolUnreadableError } from '../errors.ts'
import type { Receipt, VmReport } from '../report.ts'
import { DEAD_LETTER_FILE } from './dead-letters.ts'
import { MemorySpoolDirectory } from './memory-spool-directory.ts'
import { Spool, type SpoolOptions } from './spool.ts'
import type { SpoolRecord } from './spool-entry.ts'

let clock: ManualClock
const ids = new SystemIds()

beforeEach(() => {
  clock = new ManualClock()
})

async function open(directory: MemorySpoolDirectory, options: SpoolOptions = {}): Promise<Spool> {
  return await Spool.open({ directory, clock, ids, logger: silentLogger() }, options)
}

function vm(uuid: string, virDomainEvent: string, detectedAtMs = 0): VmReport {
  const payload = { event: 'LIFECYCLE', instance_uuid: uuid, vir_domain_event: virDomainEvent }
  return { type: 'VM', hostname: 'cn1', detectedAtMs, payload }
}

function claim(spool: Spool, subject: string): SpoolRecord {
  const record = spool.claim(subject)
  if (record === undefined) throw new Error(`nothing to claim of ${subject}`)
  return record
}

const waiting = (spool: Spool): string[] =>
  spool.records().map(({ report }) => (report as VmReport).payload.vir_domain_event)

describe('the spool (monitors 2.4)', () => {
  test('keeps what was accepted across a restart, in order, until it is settled', async () => {
    const directory = new MemorySpoolDirectory()
    const first = await open(directory)
    for (const event of ['A', 'B', 'C']) expect(await first.accept(vm('u', event))).toMatchObject({ durable: true })
    await first.settle(claim(first, 'vm:u'))
    await first.failed(claim(first, 'vm:u'), '503')
    await first.close()

    const second = await open(directory)
    expect(waiting(second)).toEqual(['B', 'C'])
    expect(second.records()[0]).toMatchObject({ attempts: 1, lastError: '503' })
  })

  test('gives out one record of a subject at a time, the oldest', async () => {
    const spool = await open(new MemorySpoolDirectory())
    await spool.accept(vm('u', 'A'))
    await spool.accept(vm('u', 'B'))
    const record = claim(spool, 'vm:u')
    expect(spool.claim('vm:u')).toBeUndefined()
    spool.release(record)
    expect(claim(spool, 'vm:u').id).toBe(record.id)
  })

  test('drops an undelivered record for a newer one of the same subject with the identical payload', async () => {
    const directory = new MemorySpoolDirectory()
    const spool = await open(directory)
    await spool.accept(vm('u', 'STOPPED_FAILED', 1))
    await spool.accept(vm('other', 'STOPPED_FAILED', 2))
    await spool.accept(vm('u', 'STOPPED_FAILED', 3))
    expect(spool.records().map(({ report }) => report.detectedAtMs)).toEqual([3, 2])
    await spool.close()
    expect((await open(directory)).size).toBe(2)
  })

  test('never cancels a stop by a later start', async () => {
    const spool = await open(new MemorySpoolDirectory())
    const host = (event: 'STOPPED' | 'STARTED', cluster: 'OFFLINE' | 'ONLINE') =>
      ({
        type: 'COMPUTE_HOST',
        hostname: 'cn2',
        detectedAtMs: 0,
        payload: { event, cluster_status: cluster, host_status: 'NORMAL' },
      }) as const
    await spool.accept(host('STOPPED', 'OFFLINE'))
    await spool.accept(host('STARTED', 'ONLINE'))
    expect(spool.records().map(({ report }) => report.payload.event)).toEqual(['STOPPED', 'STARTED'])
  })

  test('leaves a record alone that is being sent', async () => {
    const spool = await open(new MemorySpoolDirectory())
    await spool.accept(vm('u', 'A'))
    claim(spool, 'vm:u')
    await spool.accept(vm('u', 'A'))
    expect(spool.size).toBe(2)
  })

  test('keeps the order of the log when the clock was set back', async () => {
    const directory = new MemorySpoolDirectory()
    const spool = await open(directory)
    await spool.accept(vm('u', 'A'))
    clock.setWallClock(clock.now() - 86_400_000)
    await spool.accept(vm('u', 'B'))
    await spool.close()
    expect(waiting(await open(directory))).toEqual(['A', 'B'])
  })

  test('moves a dead letter to its own file before it leaves the spool', async () => {
    const directory = new MemorySpoolDirectory()
    const spool = await open(directory)
    await spool.accept(vm('u', 'A'))
    expect(await spool.deadLetter(claim(spool, 'vm:u'), '400 unknown host')).toBe(true)
    expect(spool.size).toBe(0)
    const written = await directory.read(DEAD_LETTER_FILE)
    expect(written).toContain('"vir_domain_event":"A"')
    expect(written).toContain('"reason":"400 unknown host"')
  })

  test('keeps a dead letter while it cannot be written down', async () => {
    const directory = new MemorySpoolDirectory()
    const spool = await open(directory)
    await spool.accept(vm('u', 'A'))
    directory.fail('ENOSPC')
    expect(await spool.deadLetter(claim(spool, 'vm:u'), '400')).toBe(false)
    expect(spool.size).toBe(1)
  })

  test('a dead letter that was written only in part spoils none that follows', async () => {
    const directory = new MemorySpoolDirectory()
    const spool = await open(directory)
    await spool.accept(vm('u', 'A'))
    directory.fail('ENOSPC', { written: 0.5 })
    const record = claim(spool, 'vm:u')
    expect(await spool.deadLetter(record, '400')).toBe(false)
    directory.heal()
    expect(await spool.deadLetter(record, '400')).toBe(true)
    const lines = (await directory.read(DEAD_LETTER_FILE)).split('\n').filter((line) => line !== '')
    expect(lines).toHaveLength(2)
    expect(JSON.parse(lines[1]!)).toMatchObject({ id: record.id, reason: '400' })
  })

  test('does not grow with what it has delivered', async () => {
    const directory = new MemorySpoolDirectory()
    const spool = await open(directory, { segmentBytes: 4_000 })
    await spool.accept(vm('stuck', 'A'))
    for (let turn = 0; turn < 200; turn += 1) {
      await spool.accept(vm('u', `E${turn}`))
      await spool.settle(claim(spool, 'vm:u'))
    }
    const sizes = await Promise.all((await directory.list()).map(async (name) => (await directory.read(name)).length))
    expect(sizes).toHaveLength(1)
    expect(sizes[0]).toBeLessThan(6_000)
    expect(waiting(spool)).toEqual(['A'])
  })

  test('refuses to start over segments that it cannot read', async () => {
    class ClosedToUs extends MemorySpoolDirectory {
      override async read(name: string): Promise<string> {
        throw Object.assign(new Error(`EACCES: ${name}`), { code: 'EACCES' })
      }
    }
    const directory = new ClosedToUs(new Map([['spool-00000001.log', '']]))
    await expect(open(directory)).rejects.toThrow(SpoolUnreadableError)
  })
})

describe('a spool whose disk is full or read-only (monitors 2.4)', () => {
  test.each(['ENOSPC', 'EROFS', 'EIO'])('%s: holds reports in memory, says so, and writes them later', async (code) => {
    const directory = new MemorySpoolDirectory()
    const spool = await open(directory)
    await spool.accept(vm('u', 'A'))
    directory.fail(code, { written: 0.5 })
    expect(await spool.accept(vm('u', 'B'))).toMatchObject({ durable: false })
    expect(spool.durable).toBe(false)
    expect(waiting(spool)).toEqual(['A', 'B'])
    directory.heal()
    await clock.advance(1_000)
    expect(spool.durable).toBe(true)
    expect(waiting(await open(directory.afterPowerCut(() => 0)))).toEqual(['A', 'B'])
  })

  test('memory is bounded: beyond it a report is refused, not forgotten in silence', async () => {
    const directory = new MemorySpoolDirectory()
    const spool = await open(directory, { maxMemoryRecords: 3 })
    directory.fail('ENOSPC')
    for (const uuid of ['1', '2', '3']) await spool.accept(vm(uuid, 'A'))
    await expect(spool.accept(vm('4', 'A'))).rejects.toThrow(SpoolFullError)
    await spool.settle(claim(spool, 'vm:1'))
    await expect(spool.accept(vm('4', 'A'))).resolves.toMatchObject({ durable: false })
  })

  test('is complained about once a minute', async () => {
    const lines: string[] = []
    const logger = createLogger({ format: 'json', destination: { write: (line) => void lines.push(line) } })
    const directory = new MemorySpoolDirectory()
    await Spool.open({ directory, clock, ids, logger })
    directory.fail('ENOSPC')
    const spool = await Spool.open({ directory, clock, ids, logger })
    await clock.advance(59_000)
    await spool.accept(vm('u', 'A'))
    expect(lines).toHaveLength(1)
    await clock.advance(62_000)
    expect(lines).toHaveLength(3)
  })

  test('starts with nothing but memory when the directory cannot be made', async () => {
    class NotThere extends MemorySpoolDirectory {
      override async list(): Promise<string[]> {
        throw Object.assign(new Error('EROFS: mkdir'), { code: 'EROFS' })
      }
    }
    const directory = new NotThere()
    directory.fail('EROFS')
    const spool = await open(directory)
    expect(await spool.accept(vm('u', 'A'))).toMatchObject({ durable: false })
    expect(claim(spool, 'vm:u').report.hostname).toBe('cn1')
  })
})

type Step =
  | { readonly do: 'accept'; readonly subject: number; readonly payload: number }
  | { readonly do: 'deliver' | 'fail'; readonly subject: number }
  | { readonly do: 'power cut'; readonly kept: number }
  | { readonly do: 'kill' | 'disk fails' | 'disk heals' | 'time passes' }

const subject = fc.nat(2)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('accept' as const), subject, payload: fc.nat(3) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('deliver' as const, 'fail' as const), subject }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('power cut' as const), kept: fc.double({ min: 0, max: 1, noNaN: true }) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('kill' as const, 'disk fails' as const, 'disk heals' as const, 'time passes' as const),
    }),
  },
)

describe('nothing accepted is lost, whatever happens in between', () => {
  test('every durable record is delivered, in order within its subject, or replaced by an identical newer one', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 60 }),
        fc.constantFrom(300, 1_048_576),
        async (steps, segmentBytes) => {
          const accepted: (Receipt & { key: string; payload: string })[] = []
          const delivered: string[] = []
          let directory = new MemorySpoolDirectory()
          let spool = await open(directory, { segmentBytes })

          const deliver = async (key: string): Promise<void> => {
            const record = spool.claim(key)
            if (record === undefined) return
            delivered.push(record.id)
            await spool.settle(record)
          }
          const reopen = async (kept: (atRisk: number) => number): Promise<void> => {
            directory.heal() // the spool of the life that ends tries no more
            directory = directory.afterPowerCut(kept)
            spool = await open(directory, { segmentBytes })
          }
          for (const now of steps) {
            const key = 'subject' in now ? `vm:${now.subject}` : ''
            if (now.do === 'accept') {
              const receipt = await spool.accept(vm(String(now.subject), `E${now.payload}`))
              accepted.push({ ...receipt, key, payload: `E${now.payload}` })
            } else if (now.do === 'deliver') await deliver(key)
            else if (now.do === 'fail') {
              const record = spool.claim(key)
              if (record !== undefined) await spool.failed(record, '503')
            } else if (now.do === 'power cut') await reopen((atRisk) => Math.floor(atRisk * now.kept))
            else if (now.do === 'kill') await reopen((atRisk) => atRisk)
            else if (now.do === 'time passes') await clock.advance(1_000) // so that a disk that failed is tried again
            else if (now.do === 'disk fails') directory.fail('ENOSPC', { written: 0.4 })
            else directory.heal()
          }
          await reopen((atRisk) => atRisk)
          while (spool.size > 0) for (const key of spool.subjects()) await deliver(key)

          // A replaced record may come back after a crash: then it is a repetition of a fact, not a fact out of order.
          const replaced = ({ key, payload }: (typeof accepted)[number], index: number): boolean =>
            accepted.slice(index + 1).some((later) => later.key === key && later.payload === payload)
          const facts = accepted.filter((record, index) => !replaced(record, index))
          const kept = facts.filter(({ durable }) => durable).map(({ id }) => id)
          expect(delivered).toEqual(expect.arrayContaining(kept))
          for (const key of ['vm:0', 'vm:1', 'vm:2']) {
            const order = facts.filter((record) => record.key === key).map(({ id }) => id)
            const firsts = [...new Set(delivered.filter((id) => order.includes(id)))]
            expect(firsts).toEqual(order.filter((id) => firsts.includes(id)))
          }
          expect(delivered.filter((id) => !accepted.some((record) => record.id === id))).toEqual([])
        },
      ),
      { numRuns: 300 },
    )
  })

  test('a checkpoint that was cut short spoils none that follows', async () => {
    const directory = new MemorySpoolDirectory()
    const first = await open(directory)
    for (const event of ['A', 'B']) expect(await first.accept(vm('u', event))).toMatchObject({ durable: true })
    await first.close()
    const torn = (await directory.read('spool-00000001.log')).slice(0, 40)
    for (const name of ['spool-00000002.tmp', 'spool-00000003.tmp']) {
      const file = await directory.append(name)
      await file.write(torn)
    }
    await (await open(directory)).close()
    expect(await directory.list()).toEqual(['spool-00000004.log'])
    expect(waiting(await open(directory))).toEqual(['A', 'B'])
  })

  test('reports that arrive together are all kept by one write', async () => {
    const directory = new MemorySpoolDirectory()
    const spool = await open(directory)
    const receipts = await Promise.all(Array.from({ length: 500 }, async (_, n) => await spool.accept(vm(`${n}`, 'A'))))
    expect(new Set(receipts.map(({ id }) => id)).size).toBe(500)
    expect((await open(directory.afterPowerCut(() => 0))).size).toBe(500)
  })
})
