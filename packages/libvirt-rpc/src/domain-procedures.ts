import type { CallOptions } from './call-options.ts'
import { readDomain, readTypedParameters, writeDomain } from './domain-codec.ts'
import { readInterfaces } from './domain-interface.ts'
import type { DomainCalls } from './domain-calls.ts'
import type { DomainRef } from './domain.ts'
import { Limit } from './limits.ts'
import { procedures } from './procedures.ts'
import type { Procedure } from './procedures.ts'
import type { Call } from './rpc-channel.ts'
import { parseUuid } from './uuid.ts'
import { readNothing } from './xdr-reader.ts'

/** `DomainCalls` over a channel. */
export function domainCalls(call: Call): DomainCalls {
  const onDomain = (procedure: Procedure, domain: DomainRef, options?: CallOptions) =>
    call(procedure, options, (writer) => writeDomain(writer, domain), readNothing)

  const onDomainWithFlags = (
    procedure: Procedure,
    domain: DomainRef,
    options?: CallOptions & { flags?: number | undefined },
  ) =>
    call(
      procedure,
      options,
      (writer) => {
        writeDomain(writer, domain)
        writer.u32(options?.flags ?? 0)
      },
      readNothing,
    )

  return {
    listAllDomains: (options) =>
      call(
        procedures.listAllDomains,
        options,
        // The first word asks for the domains themselves, not for their number only.
        (writer) => writer.i32(1).u32(options?.flags ?? 0),
        (reader) => reader.array(Limit.DOMAINS, readDomain),
      ),

    lookupByName: (name, options) =>
      call(procedures.lookupByName, options, (writer) => writer.string(name), readDomain),

    lookupByUuid: (uuid, options) =>
      call(procedures.lookupByUuid, options, (writer) => writer.opaque(parseUuid(uuid)), readDomain),

    getState: (domain, options) =>
      call(
        procedures.getState,
        options,
        (writer) => {
          writeDomain(writer, domain)
          writer.u32(0)
        },
        (reader) => ({ state: reader.i32(), reason: reader.i32() }),
      ),

    getInfo: (domain, options) =>
      call(
        procedures.getInfo,
        options,
        (writer) => writeDomain(writer, domain),
        (reader) => ({
          state: reader.u32(),
          maxMemoryKiB: Number(reader.u64()),
          memoryKiB: Number(reader.u64()),
          vcpus: reader.u32(),
          cpuTimeNs: reader.u64(),
        }),
      ),

    getXml: (domain, options) =>
      call(
        procedures.getXml,
        options,
        (writer) => {
          writeDomain(writer, domain)
          writer.u32(options?.flags ?? 0)
        },
        (reader) => reader.string(),
      ),

    defineXml: (xml, options) =>
      call(procedures.defineXml, options, (writer) => writer.string(xml).u32(options?.flags ?? 0), readDomain),

    undefine: (domain, options) => onDomainWithFlags(procedures.undefine, domain, options),

    create: (domain, options) =>
      call(
        procedures.create,
        options,
        (writer) => {
          writeDomain(writer, domain)
          writer.u32(options?.flags ?? 0)
        },
        readDomain,
      ),

    createXml: (xml, options) =>
      call(procedures.createXml, options, (writer) => writer.string(xml).u32(options?.flags ?? 0), readDomain),

    destroy: (domain, options) => onDomainWithFlags(procedures.destroy, domain, options),
    shutdown: (domain, options) => onDomainWithFlags(procedures.shutdown, domain, options),
    reboot: (domain, options) => onDomainWithFlags(procedures.reboot, domain, options),
    reset: (domain, options) => onDomainWithFlags(procedures.reset, domain, options),
    suspend: (domain, options) => onDomain(procedures.suspend, domain, options),
    resume: (domain, options) => onDomain(procedures.resume, domain, options),

    getAutostart: (domain, options) =>
      call(
        procedures.getAutostart,
        options,
        (writer) => writeDomain(writer, domain),
        (reader) => reader.i32() !== 0,
      ),

    setAutostart: (domain, autostart, options) =>
      call(
        procedures.setAutostart,
        options,
        (writer) => {
          writeDomain(writer, domain)
          writer.i32(autostart ? 1 : 0)
        },
        readNothing,
      ),

    isPersistent: (domain, options) =>
      call(
        procedures.isPersistent,
        options,
        (writer) => writeDomain(writer, domain),
        (reader) => reader.i32() !== 0,
      ),

    getMetadata: (domain, options) =>
      call(
        procedures.getMetadata,
        options,
        (writer) => {
          writeDomain(writer, domain)
          writer
            .i32(options.type)
            .optional(options.uri, (inner, uri) => inner.string(uri))
            .u32(options.flags ?? 0)
        },
        (reader) => reader.string(),
      ),

    setMetadata: (domain, options) =>
      call(
        procedures.setMetadata,
        options,
        (writer) => {
          writeDomain(writer, domain)
          writer.i32(options.type)
          for (const text of [options.value, options.key, options.uri]) {
            writer.optional(text, (inner, value) => inner.string(value))
          }
          writer.u32(options.flags ?? 0)
        },
        readNothing,
      ),

    interfaceAddresses: (domain, options) =>
      call(
        procedures.interfaceAddresses,
        options,
        (writer) => {
          writeDomain(writer, domain)
          writer.u32(options.source).u32(0)
        },
        readInterfaces,
      ),

    getAllDomainStats: (options) =>
      call(
        procedures.getAllDomainStats,
        options,
        (writer) =>
          writer
            .array(options?.domains ?? [], Limit.DOMAINS, writeDomain)
            .u32(options?.groups ?? 0)
            .u32(options?.flags ?? 0),
        (reader) =>
          reader.array(Limit.DOMAINS, (inner) => ({
            domain: readDomain(inner),
            stats: readTypedParameters(inner, Limit.STATS_PARAMETERS),
          })),
      ),
  }
}
