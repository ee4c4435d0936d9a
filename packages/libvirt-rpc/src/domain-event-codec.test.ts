import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { writeDomain } from './domain-codec.ts'
import type { DomainEvent } from './domain-event.ts'
import { LifecycleDetail, LifecycleEvent } from './domain-event-detail.ts'
import { decodeDomainEvent } from './domain-event-codec.ts'
import { LibvirtProtocolError } from './errors.ts'
import { XdrReader } from './xdr-reader.ts'
import { XdrWriter } from './xdr-writer.ts'

const domain = { name: 'instance-00000001', uuid: '11111111-2222-3333-4444-555555555555', id: 11 }

const hyper = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(value)
  return bytes
}
const text = (writer: XdrWriter, value: string): XdrWriter => writer.string(value)
const address = (w: XdrWriter, node: string): XdrWriter => w.i32(1).string(node).string('5900')

/** A message as a server writes it: callback number, domain, the rest; for some a reason before the domain. */
function message(rest: (writer: XdrWriter) => unknown, reasonFirst?: number): Buffer {
  const writer = new XdrWriter().i32(0x51)
  if (reasonFirst !== undefined) writer.i32(reasonFirst)
  writeDomain(writer, domain)
  rest(writer)
  return writer.bytes()
}

const eventOf = (procedure: number, body: Buffer): DomainEvent | undefined =>
  decodeDomainEvent(procedure, new XdrReader(body))?.event

const noRest = (): void => {}

/** What `run` throws; `undefined` when it does not. */
const failureOf = (run: () => unknown): unknown => {
  try {
    run()
    return undefined
  } catch (error) {
    return error
  }
}

describe('domain events (monitors.md 7.3, 7.6)', () => {
  test('reads the captured message of a lifecycle event "stopped, failed"', () => {
    const captured =
      '00000051 00000011 696e7374616e63652d3030303030303031 000000 11111111222233334444555555555555 ' +
      '0000000b 00000005 00000005'
    const body = Buffer.from(captured.replaceAll(' ', ''), 'hex')
    expect(decodeDomainEvent(318, new XdrReader(body))).toEqual({
      callbackId: 0x51,
      event: { id: 0, domain, event: LifecycleEvent.STOPPED, detail: LifecycleDetail.STOPPED.FAILED },
    })
  })

  test.each<[string, number, Buffer, object]>([
    ['lifecycle', 318, message((w) => w.i32(8).i32(0)), { id: 0, event: 8, detail: 0 }],
    ['reboot', 319, message(noRest), { id: 1 }],
    ['rtc change', 320, message((w) => w.opaque(hyper(-3600n))), { id: 2, offsetS: -3600 }],
    ['watchdog', 321, message((w) => w.i32(3)), { id: 3, action: 3 }],
    [
      'io error',
      322,
      message((w) => w.string('/d').string('vda').i32(2)),
      { id: 4, sourcePath: '/d', deviceAlias: 'vda', action: 2 },
    ],
    [
      'graphics',
      323,
      message((w) => {
        address(address(w.i32(1), '::1'), '::2')
          .string('vnc')
          .array(['x'], 20, (inner, name) => inner.string('x509').string(name))
      }),
      {
        id: 5,
        phase: 1,
        local: { family: 1, node: '::1', service: '5900' },
        remote: { family: 1, node: '::2', service: '5900' },
        authScheme: 'vnc',
        subject: [{ type: 'x509', name: 'x' }],
      },
    ],
    [
      'io error with reason',
      324,
      message((w) => w.string('/d').string('vda').i32(1).string('enospc')),
      { id: 6, sourcePath: '/d', deviceAlias: 'vda', action: 1, reason: 'enospc' },
    ],
    ['control error', 325, message(noRest), { id: 7 }],
    ['block job', 326, message((w) => w.string('/d').i32(1).i32(0)), { id: 8, disk: '/d', type: 1, status: 0 }],
    [
      'disk change',
      327,
      message((w) => w.optional('/old', text).optional(undefined, text).string('ide0').i32(0)),
      { id: 9, oldSourcePath: '/old', newSourcePath: undefined, deviceAlias: 'ide0', reason: 0 },
    ],
    ['tray change', 328, message((w) => w.string('cd').i32(1)), { id: 10, deviceAlias: 'cd', reason: 1 }],
    ['wake-up', 329, message(noRest, 4), { id: 11, reason: 4 }],
    ['suspend', 330, message(noRest, 5), { id: 12, reason: 5 }],
    ['balloon change', 331, message((w) => w.opaque(hyper(4096n))), { id: 13, actualKiB: 4096 }],
    ['suspend to disk', 332, message(noRest, 6), { id: 14, reason: 6 }],
    ['device removed', 333, message((w) => w.string('net0')), { id: 15, deviceAlias: 'net0' }],
    ['block job 2', 339, message((w) => w.string('vda').i32(2).i32(3)), { id: 16, disk: 'vda', type: 2, status: 3 }],
    [
      'tunable',
      346,
      message((w) => w.array([9n], 1, (inner, v) => inner.string('iops').i32(4).opaque(hyper(v)))),
      { id: 17, parameters: new Map([['iops', 9n]]) },
    ],
    ['agent lifecycle', 348, message((w) => w.i32(2).i32(1)), { id: 18, state: 2, reason: 1 }],
    ['device added', 354, message((w) => w.string('net0')), { id: 19, deviceAlias: 'net0' }],
    ['migration iteration', 359, message((w) => w.i32(2)), { id: 20, iteration: 2 }],
    [
      'job completed',
      363,
      message((w) => w.array(['x'], 1, (inner, v) => inner.string('error').i32(7).string(v))),
      { id: 21, parameters: new Map([['error', 'x']]) },
    ],
    ['device removal failed', 367, message((w) => w.string('net0')), { id: 22, deviceAlias: 'net0' }],
    [
      'metadata change',
      379,
      message((w) => w.i32(2).optional('urn:x', text)),
      { id: 23, type: 2, namespaceUri: 'urn:x' },
    ],
    [
      'block threshold',
      385,
      message((w) => w.string('vda').optional(undefined, text).opaque(hyper(1n)).opaque(hyper(2n))),
      { id: 24, device: 'vda', path: undefined, thresholdBytes: 1n, excessBytes: 2n },
    ],
    ['memory failure', 423, message((w) => w.i32(1).i32(2).u32(3)), { id: 25, recipient: 1, action: 2, flags: 3 }],
    [
      'memory device size',
      438,
      message((w) => w.string('dimm0').opaque(hyper(1024n))),
      { id: 26, deviceAlias: 'dimm0', sizeKiB: 1024 },
    ],
  ])('reads %s', (_name, procedure, body, expected) => {
    expect(eventOf(procedure, body)).toEqual({ domain, ...expected })
  })

  test('a detail that nobody knows yet arrives as its number', () => {
    expect(
      eventOf(
        318,
        message((w) => w.i32(99).i32(-7)),
      ),
    ).toEqual({ id: 0, domain, event: 99, detail: -7 })
  })

  test('fields that a newer server adds are ignored', () => {
    expect(
      eventOf(
        319,
        message((w) => w.string('something new')),
      ),
    ).toEqual({ id: 1, domain })
  })

  test('a message that is no domain event is left alone', () => {
    expect(decodeDomainEvent(362, new XdrReader(Buffer.alloc(4)))).toBeUndefined()
  })

  test('a message that ends early is refused', () => {
    const whole = message((w) => w.i32(5).i32(5))
    expect(() => eventOf(318, whole.subarray(0, -1))).toThrow(LibvirtProtocolError)
  })

  test('property: any bytes in any event message are read or refused, never anything else', () => {
    const procedures = fc.integer({ min: 310, max: 440 })
    const start = message(noRest)
    const bodies = fc.oneof(
      fc.uint8Array({ maxLength: 120 }).map((bytes) => Buffer.from(bytes)),
      fc.uint8Array({ maxLength: 120 }).map((bytes) => Buffer.concat([start, bytes])),
    )
    fc.assert(
      fc.property(procedures, bodies, (procedure, body) => {
        const failure = failureOf(() => eventOf(procedure, body))
        expect(failure === undefined || failure instanceof LibvirtProtocolError).toBe(true)
      }),
      { numRuns: 2_000 },
    )
  })
})
