import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { decodeSegment, encodeEntry, type SpoolEntry, type SpoolRecord } from './spool-entry.ts'

const record: SpoolRecord = {
  id: '01970000-0000-7000-8000-000000000001',
  subject: 'vm:11111111-2222-3333-4444-555555555555',
  report: {
    type: 'VM',
    hostname: 'cn7',
    detectedAtMs: Date.UTC(2026, 10, 21, 3, 17, 53, 880),
    payload: {
      event: 'LIFECYCLE',
      instance_uuid: '11111111-2222-3333-4444-555555555555',
      vir_domain_event: 'STOPPED_FAILED',
    },
  },
  firstSeenMs: Date.UTC(2026, 10, 21, 3, 17, 53, 901),
  attempts: 2,
  lastError: '503 later — ümlaut',
}
const put: SpoolEntry = { kind: 'put', record }
const failed: SpoolEntry = { kind: 'try', id: record.id, attempts: 3, lastError: 'connect ECONNREFUSED' }
const end: SpoolEntry = { kind: 'end', id: record.id }
const host: SpoolEntry = {
  kind: 'put',
  record: {
    ...record,
    subject: 'host:cn8',
    report: {
      type: 'COMPUTE_HOST',
      hostname: 'cn8',
      detectedAtMs: 0,
      payload: { event: 'STOPPED', cluster_status: 'OFFLINE', host_status: 'NORMAL' },
    },
  },
}
const proc: SpoolEntry = {
  kind: 'put',
  record: {
    ...record,
    subject: 'proc:cn7/nova-compute',
    report: {
      type: 'PROCESS',
      hostname: 'cn7',
      detectedAtMs: 0,
      payload: { event: 'STOPPED', process_name: 'nova-compute' },
    },
  },
}
const entries = [put, failed, end, host, proc]
const text = entries.map(encodeEntry).join('')

describe('lines of the spool (monitors 2.4)', () => {
  test('come back as they were written', () => {
    expect(decodeSegment(text)).toEqual({ entries, damagedLines: 0, torn: false })
  })

  test('a torn last line is dropped, everything before it is kept', () => {
    const whole = Buffer.from(text)
    fc.assert(
      fc.property(fc.nat(whole.length), (length) => {
        const cut = whole.subarray(0, length).toString('utf8')
        const complete = cut.split('\n').length - 1
        const read = decodeSegment(cut)
        expect(read.entries).toEqual(entries.slice(0, complete))
        expect(read.damagedLines).toBe(0)
        expect(read.torn).toBe(!cut.endsWith('\n') && cut !== '')
      }),
    )
  })

  test('a garbled byte costs no more than the lines it touches', () => {
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.constantFrom('X', '\n', '\0', '{'), (at, garbage) => {
        const read = decodeSegment(text.slice(0, at) + garbage + text.slice(at + 1))
        expect(read.entries.length).toBeGreaterThanOrEqual(entries.length - 2)
        for (const entry of read.entries) expect(entries).toContainEqual(entry)
      }),
    )
  })

  test('any text at all is read without an error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(decodeSegment(Buffer.from(bytes).toString('utf8')).entries).toEqual([])
      }),
    )
  })
})
