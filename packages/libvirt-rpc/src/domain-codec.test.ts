import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readDomain, readError, readTypedParameters, writeDomain } from './domain-codec.ts'
import { LibvirtArgumentError, LibvirtError, LibvirtProtocolError } from './errors.ts'
import { XdrReader } from './xdr-reader.ts'
import { XdrWriter } from './xdr-writer.ts'

const domainBytes = (domain: Parameters<typeof writeDomain>[1]): Buffer => {
  const writer = new XdrWriter()
  writeDomain(writer, domain)
  return writer.bytes()
}

describe('domains on the wire', () => {
  test('name, UUID and id; an id that is left out is -1', () => {
    const uuid = '11111111-2222-3333-4444-555555555555'
    expect(readDomain(new XdrReader(domainBytes({ name: 'a', uuid })))).toEqual({ name: 'a', uuid, id: -1 })
  })

  test('property: any domain comes back, its UUID in lower case', () => {
    const domains = fc.record({ name: fc.string({ unit: 'grapheme' }), uuid: fc.uuid(), id: fc.integer() })
    fc.assert(
      fc.property(domains, (domain) => {
        const shouted = { ...domain, uuid: domain.uuid.toUpperCase() }
        expect(readDomain(new XdrReader(domainBytes(shouted)))).toEqual(domain)
      }),
    )
  })

  test.each(['', 'x', '11111111-2222-3333-4444-55555555555', '11111111-2222-3333-4444-55555555555g'])(
    'refuses %j for a UUID',
    (uuid) => {
      expect(() => domainBytes({ name: 'a', uuid })).toThrow(LibvirtArgumentError)
    },
  )
})

describe('refusals on the wire', () => {
  const refusal = (message: string | undefined): Buffer =>
    new XdrWriter()
      .i32(42)
      .i32(10)
      .optional(message, (writer, text) => writer.string(text))
      .i32(2)
      .bytes()

  test('number, domain, level and words become a LibvirtError that names the call', () => {
    const error = new LibvirtError(readError(new XdrReader(refusal('no such thing'))), 'virDomainLookupByName')
    expect(error).toMatchObject({ code: 42, domain: 10, level: 2, serverMessage: 'no such thing' })
    expect(error.message).toBe('libvirt refused virDomainLookupByName: no such thing (error 42, NO_DOMAIN)')
  })

  test('a refusal without words is still one', () => {
    expect(readError(new XdrReader(refusal(undefined)))).toMatchObject({ code: 42, message: 'no reason given' })
  })

  test('a number that nobody knows yet is kept', () => {
    const error = new LibvirtError({ code: 4711, domain: 99, level: 2, message: 'new' }, 'virDomainReset')
    expect(error.message).toContain('error 4711, unknown error number')
    expect(error.code).toBe(4711)
  })
})

describe('named figures on the wire', () => {
  const one = (type: number, write: (writer: XdrWriter) => unknown): Buffer => {
    const writer = new XdrWriter().u32(1).string('f').i32(type)
    write(writer)
    return writer.bytes()
  }

  test.each([
    ['an integer', one(1, (w) => w.i32(-5)), -5],
    ['an unsigned integer', one(2, (w) => w.u32(0xffff_ffff)), 0xffff_ffff],
    ['a long integer', one(3, (w) => w.opaque(Buffer.from('ffffffffffffffff', 'hex'))), -1n],
    ['an unsigned long integer', one(4, (w) => w.opaque(Buffer.from('ffffffffffffffff', 'hex'))), 2n ** 64n - 1n],
    ['a fraction', one(5, (w) => w.opaque(Buffer.from('3ff8000000000000', 'hex'))), 1.5],
    ['a truth value', one(6, (w) => w.i32(1)), true],
    ['a text', one(7, (w) => w.string('vda')), 'vda'],
  ])('reads %s', (_what, bytes, value) => {
    expect(readTypedParameters(new XdrReader(bytes), 16)).toEqual(new Map([['f', value]]))
  })

  test('refuses a type whose length nobody knows', () => {
    expect(() => readTypedParameters(new XdrReader(one(8, (w) => w.i32(1))), 16)).toThrow(LibvirtProtocolError)
  })
})
