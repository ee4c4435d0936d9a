import { Limit } from './limits.ts'
import { procedures } from './procedures.ts'
import type { Call } from './rpc-channel.ts'
import type { StorageCalls } from './storage-calls.ts'
import type { StoragePoolRef, StorageVolume } from './storage.ts'
import { formatUuid, parseUuid } from './uuid.ts'
import { readNothing, type XdrReader } from './xdr-reader.ts'
import type { XdrWriter } from './xdr-writer.ts'

/** `StorageCalls` over a channel. */
export function storageCalls(call: Call): StorageCalls {
  return {
    lookupStoragePool: (name, options) =>
      call(procedures.storagePoolLookupByName, options, (writer) => writer.string(name), readPool),

    refreshStoragePool: (pool, options) =>
      call(procedures.storagePoolRefresh, options, (writer) => writePool(writer, pool).u32(0), readNothing),

    listAllVolumes: (pool, options) =>
      call(
        procedures.storagePoolListAllVolumes,
        options,
        // The first word asks for the volumes themselves, not for their number only.
        (writer) => writePool(writer, pool).i32(1).u32(0),
        (reader) => reader.array(Limit.VOLUMES, readVolume),
      ),

    lookupVolume: (pool, name, options) =>
      call(procedures.storageVolLookupByName, options, (writer) => writePool(writer, pool).string(name), readVolume),

    createVolume: (pool, xml, options) =>
      call(
        procedures.storageVolCreateXml,
        options,
        (writer) =>
          writePool(writer, pool)
            .string(xml)
            .u32(options?.flags ?? 0),
        readVolume,
      ),

    deleteVolume: (volume, options) =>
      call(procedures.storageVolDelete, options, (writer) => writeVolume(writer, volume).u32(0), readNothing),

    getVolumePath: (volume, options) =>
      call(
        procedures.storageVolGetPath,
        options,
        (writer) => writeVolume(writer, volume),
        (reader) => reader.string(),
      ),
  }
}

export function writePool(writer: XdrWriter, { name, uuid }: StoragePoolRef): XdrWriter {
  return writer.string(name).opaque(parseUuid(uuid))
}

export function readPool(reader: XdrReader): StoragePoolRef {
  return { name: reader.string(), uuid: formatUuid(reader.opaque(16)) }
}

export function writeVolume(writer: XdrWriter, { pool, name, key }: StorageVolume): XdrWriter {
  return writer.string(pool).string(name).string(key)
}

export function readVolume(reader: XdrReader): StorageVolume {
  return { pool: reader.string(), name: reader.string(), key: reader.string() }
}
