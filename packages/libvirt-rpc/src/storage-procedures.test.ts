import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readInterfaces } from './domain-interface.ts'
import { LibvirtProtocolError } from './errors.ts'
import { readPool, readVolume, writePool, writeVolume } from './storage-procedures.ts'
import { XdrReader } from './xdr-reader.ts'
import { XdrWriter } from './xdr-writer.ts'

const text = fc.string({ unit: 'grapheme' })

describe('pools and volumes on the wire', () => {
  test('property: any pool comes back', () => {
    fc.assert(
      fc.property(fc.record({ name: text, uuid: fc.uuid() }), (pool) => {
        expect(readPool(new XdrReader(writePool(new XdrWriter(), pool).bytes()))).toEqual(pool)
      }),
    )
  })

  test('property: any volume comes back', () => {
    fc.assert(
      fc.property(fc.record({ pool: text, name: text, key: text }), (volume) => {
        expect(readVolume(new XdrReader(writeVolume(new XdrWriter(), volume).bytes()))).toEqual(volume)
      }),
    )
  })
})

describe('the interfaces of a guest on the wire', () => {
  test('with and without an address of the card, with several addresses', () => {
    const writer = new XdrWriter()
    writer.u32(2)
    writer
      .string('lo')
      .optional<string>(undefined, () => undefined)
      .u32(0)
    writer
      .string('ens3')
      .optional('52:54:00:00:00:01', (inner, mac) => inner.string(mac))
      .u32(2)
    writer.i32(0).string('192.0.2.7').u32(24).i32(1).string('2001:db8::7').u32(64)
    expect(readInterfaces(new XdrReader(writer.bytes()))).toEqual([
      { name: 'lo', mac: undefined, addresses: [] },
      {
        name: 'ens3',
        mac: '52:54:00:00:00:01',
        addresses: [
          { family: 0, address: '192.0.2.7', prefix: 24 },
          { family: 1, address: '2001:db8::7', prefix: 64 },
        ],
      },
    ])
  })

  test('more of them than libvirt ever sends are refused before anything is allocated', () => {
    expect(() => readInterfaces(new XdrReader(new XdrWriter().u32(2_049).bytes()))).toThrow(LibvirtProtocolError)
  })
})
