import type { Domain, DomainRef } from './domain.ts'
import type { LibvirtErrorFields } from './errors.ts'
import { LibvirtProtocolError } from './errors.ts'
import type { TypedParameters, TypedParameterValue } from './typed-parameter.ts'
import { formatUuid, parseUuid } from './uuid.ts'
import type { XdrReader } from './xdr-reader.ts'
import type { XdrWriter } from './xdr-writer.ts'

export function writeDomain(writer: XdrWriter, domain: DomainRef): void {
  writer
    .string(domain.name)
    .opaque(parseUuid(domain.uuid))
    .i32(domain.id ?? -1)
}

export function readDomain(reader: XdrReader): Domain {
  return { name: reader.string(), uuid: formatUuid(reader.opaque(16)), id: reader.i32() }
}

/** The body of an error reply. Fields after the level repeat parts of the message and are not read. */
export function readError(reader: XdrReader): LibvirtErrorFields {
  const code = reader.i32()
  const domain = reader.i32()
  const message = reader.optional((inner) => inner.string()) ?? 'no reason given'
  const level = reader.i32()
  return { code, domain, message, level }
}

export function readTypedParameters(reader: XdrReader, maxItems: number): TypedParameters {
  return new Map(reader.array(maxItems, (inner) => [inner.string(), readTypedValue(inner)] as const))
}

function readTypedValue(reader: XdrReader): TypedParameterValue {
  const type = reader.i32()
  switch (type) {
    case 1:
      return reader.i32()
    case 2:
      return reader.u32()
    case 3:
      return reader.i64()
    case 4:
      return reader.u64()
    case 5:
      return reader.double()
    case 6:
      return reader.i32() !== 0
    case 7:
      return reader.string()
    default:
      throw new LibvirtProtocolError(`A parameter has the unknown type ${type}, so its length is unknown too.`)
  }
}
