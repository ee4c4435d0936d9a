import { readDomain, readTypedParameters } from './domain-codec.ts'
import { DomainEventId } from './domain-event.ts'
import type { DomainEvent, DomainEventBodies, GraphicsAddress } from './domain-event.ts'
import { Limit } from './limits.ts'
import type { XdrReader } from './xdr-reader.ts'

/** Which event a message of the remote program carries, by procedure number (monitors.md 7.6; libvirt 9.0). */
const eventIdByProcedure = new Map<number, DomainEventId>([
  [318, DomainEventId.LIFECYCLE],
  [319, DomainEventId.REBOOT],
  [320, DomainEventId.RTC_CHANGE],
  [321, DomainEventId.WATCHDOG],
  [322, DomainEventId.IO_ERROR],
  [323, DomainEventId.GRAPHICS],
  [324, DomainEventId.IO_ERROR_REASON],
  [325, DomainEventId.CONTROL_ERROR],
  [326, DomainEventId.BLOCK_JOB],
  [327, DomainEventId.DISK_CHANGE],
  [328, DomainEventId.TRAY_CHANGE],
  [329, DomainEventId.PMWAKEUP],
  [330, DomainEventId.PMSUSPEND],
  [331, DomainEventId.BALLOON_CHANGE],
  [332, DomainEventId.PMSUSPEND_DISK],
  [333, DomainEventId.DEVICE_REMOVED],
  [339, DomainEventId.BLOCK_JOB_2],
  [346, DomainEventId.TUNABLE],
  [348, DomainEventId.AGENT_LIFECYCLE],
  [354, DomainEventId.DEVICE_ADDED],
  [359, DomainEventId.MIGRATION_ITERATION],
  [363, DomainEventId.JOB_COMPLETED],
  [367, DomainEventId.DEVICE_REMOVAL_FAILED],
  [379, DomainEventId.METADATA_CHANGE],
  [385, DomainEventId.BLOCK_THRESHOLD],
  [423, DomainEventId.MEMORY_FAILURE],
  [438, DomainEventId.MEMORY_DEVICE_SIZE_CHANGE],
])

const noBody = () => ({})
const deviceAlias = (reader: XdrReader) => ({ deviceAlias: reader.string() })
const blockJob = (reader: XdrReader) => ({ disk: reader.string(), type: reader.i32(), status: reader.i32() })
const graphicsAddress = (reader: XdrReader): GraphicsAddress => ({
  family: reader.i32(),
  node: reader.string(),
  service: reader.string(),
})
const optionalString = (reader: XdrReader) => reader.optional((inner) => inner.string())

type BodyReaders = { readonly [Id in keyof DomainEventBodies]: (reader: XdrReader) => DomainEventBodies[Id] }

/** What follows the callback number and the domain. 11, 12 and 14 have their reason before the domain: see below. */
const bodyReaders: Omit<BodyReaders, 11 | 12 | 14> = {
  0: (reader) => ({ event: reader.i32(), detail: reader.i32() }),
  1: noBody,
  2: (reader) => ({ offsetS: Number(reader.i64()) }),
  3: (reader) => ({ action: reader.i32() }),
  4: (reader) => ({ sourcePath: reader.string(), deviceAlias: reader.string(), action: reader.i32() }),
  5: (reader) => ({
    phase: reader.i32(),
    local: graphicsAddress(reader),
    remote: graphicsAddress(reader),
    authScheme: reader.string(),
    subject: reader.array(Limit.GRAPHICS_IDENTITIES, (inner) => ({ type: inner.string(), name: inner.string() })),
  }),
  6: (reader) => ({
    sourcePath: reader.string(),
    deviceAlias: reader.string(),
    action: reader.i32(),
    reason: reader.string(),
  }),
  7: noBody,
  8: blockJob,
  9: (reader) => ({
    oldSourcePath: optionalString(reader),
    newSourcePath: optionalString(reader),
    deviceAlias: reader.string(),
    reason: reader.i32(),
  }),
  10: (reader) => ({ deviceAlias: reader.string(), reason: reader.i32() }),
  13: (reader) => ({ actualKiB: Number(reader.u64()) }),
  15: deviceAlias,
  16: blockJob,
  17: (reader) => ({ parameters: readTypedParameters(reader, Limit.TUNABLE_PARAMETERS) }),
  18: (reader) => ({ state: reader.i32(), reason: reader.i32() }),
  19: deviceAlias,
  20: (reader) => ({ iteration: reader.i32() }),
  21: (reader) => ({ parameters: readTypedParameters(reader, Limit.JOB_PARAMETERS) }),
  22: deviceAlias,
  23: (reader) => ({ type: reader.i32(), namespaceUri: optionalString(reader) }),
  24: (reader) => ({
    device: reader.string(),
    path: optionalString(reader),
    thresholdBytes: reader.u64(),
    excessBytes: reader.u64(),
  }),
  25: (reader) => ({ recipient: reader.i32(), action: reader.i32(), flags: reader.u32() }),
  26: (reader) => ({ deviceAlias: reader.string(), sizeKiB: Number(reader.u64()) }),
}

export interface ReceivedEvent {
  /** The number that the registration returned. */
  readonly callbackId: number
  readonly event: DomainEvent
}

/**
 * Reads an event message of the remote program; `undefined` when the procedure is no domain event that we know. Bytes
 * after the known fields are ignored. Throws `LibvirtProtocolError` when the body does not hold the known fields.
 */
export function decodeDomainEvent(procedure: number, reader: XdrReader): ReceivedEvent | undefined {
  const id = eventIdByProcedure.get(procedure)
  if (id === undefined) return undefined
  const callbackId = reader.i32()
  if (id === 11 || id === 12 || id === 14) {
    const reason = reader.i32()
    return { callbackId, event: { id, domain: readDomain(reader), reason } }
  }
  const domain = readDomain(reader)
  // The table's type ties each id to its body; TypeScript cannot follow that through the lookup.
  return { callbackId, event: { id, domain, ...bodyReaders[id](reader) } as DomainEvent }
}
