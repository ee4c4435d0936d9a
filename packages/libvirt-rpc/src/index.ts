export type { CallOptions, FlagOptions } from './call-options.ts'
export type {
  ConnectOptions,
  DomainEventSubscription,
  EventStreamOptions,
  LibvirtConnection,
  SubscribeOptions,
} from './connection.ts'
export { connectLibvirt } from './connect.ts'
export type { DisconnectReason } from './disconnect-reason.ts'
export type { Domain, DomainRef } from './domain.ts'
export type { DomainCalls, DomainInfo, DomainStats, MetadataOptions, SetMetadataOptions } from './domain-calls.ts'
export { AddressFamily, InterfaceSource } from './domain-interface.ts'
export type { DomainInterface, InterfaceAddress } from './domain-interface.ts'
export { DomainEventId } from './domain-event.ts'
export type { DomainEvent, DomainEventOf, GraphicsAddress } from './domain-event.ts'
export {
  AgentState,
  AgentStateReason,
  IoErrorAction,
  LifecycleDetail,
  LifecycleEvent,
  MemoryFailureAction,
  MemoryFailureFlag,
  MemoryFailureRecipient,
  WatchdogAction,
} from './domain-event-detail.ts'
export {
  CrashedReason,
  describeDomainState,
  DomainState,
  PausedReason,
  RunningReason,
  ShutdownReason,
  ShutoffReason,
} from './domain-state.ts'
export type { DomainStateAndReason } from './domain-state.ts'
export { LibvirtErrorCode, libvirtErrorName } from './error-codes.ts'
export type { LibvirtErrorName } from './error-codes.ts'
export {
  LibvirtArgumentError,
  LibvirtConnectError,
  LibvirtDisconnectedError,
  LibvirtError,
  LibvirtEventOverflowError,
  LibvirtProtocolError,
  LibvirtTimeoutError,
} from './errors.ts'
export type { LibvirtErrorFields } from './errors.ts'
export {
  DomainAffect,
  DomainDefineFlag,
  DomainDestroyFlag,
  DomainListFlag,
  DomainMetadataType,
  DomainShutdownFlag,
  DomainStartFlag,
  DomainStatsGroup,
  DomainUndefineFlag,
  DomainXmlFlag,
  StorageVolumeCreateFlag,
} from './flags.ts'
export type { HostCalls, NodeInfo } from './host-calls.ts'
export { AgentTimeout } from './qemu-calls.ts'
export type { AgentCommandOptions, QemuCalls } from './qemu-calls.ts'
export { LibvirtSession } from './session.ts'
export type { LibvirtSessionEvents, LibvirtSessionOptions } from './session-options.ts'
export type { StorageCalls } from './storage-calls.ts'
export type { StoragePoolRef, StorageVolume } from './storage.ts'
export type { Timers } from './timers.ts'
export type { TypedParameters, TypedParameterValue } from './typed-parameter.ts'
