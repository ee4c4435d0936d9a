export { createHaApi, type HaApiDeps } from './ha-api.ts'
export { defaultRules } from './policies.ts'
export { defaultHaOptions, type HaOptions } from './options.ts'
export type { ProgressDetail, ProgressStep } from './progress.ts'
export { RECOVERY_METHODS, type RecoveryMethod, type Segment } from './records/segment.ts'
export type { Host } from './records/host.ts'
export {
  ACTIVE_STATUSES,
  type Notification,
  type NotificationStatus,
  type NotificationType,
} from './records/notification.ts'
export type { Vmove, VmoveStatus, VmoveType } from './records/vmove.ts'
export { findSegment, findSegmentByName, isSegmentInUse } from './store/segments.ts'
export { findHost, findHostByName, listReservedCandidates, listSegmentHosts, setHostFlags } from './store/hosts.ts'
export { findNotification, setNotificationStatus } from './store/notifications.ts'
export { createVmoves, findVmove, listVmoves, updateVmove, type NewVmove, type VmovePatch } from './store/vmoves.ts'
export type { DatabaseSource } from './import-database/source.ts'
export { importDatabase, openDatabaseSource, type ImportedTable } from './import-database/import-database.ts'
export { importMasakariConf, type ImportedConf } from './masakari-conf/import.ts'
export { purge, type PurgedTable, type PurgeOptions } from './purge.ts'
export {
  defaultUnfinishedOptions,
  expireNotifications,
  retryUnfinished,
  watchUnfinished,
  type RecoveryProgress,
  type UnfinishedDeps,
  type UnfinishedOptions,
} from './unfinished.ts'
export type { Notifier } from './announce.ts'
export { toMainstayEvent, type HaEvent, type HaSubject } from './events.ts'
export { type BusMessage } from './versioned/bus-message.ts'
export { BusTeller, type BusTellerDeps } from './versioned/bus-teller.ts'
export { BusRelay, type BusRelayOptions } from './versioned/bus-relay.ts'
export { RabbitmqSender, type RabbitmqSenderOptions } from './versioned/rabbitmq-sender.ts'
export { openapiDocument } from './api/openapi.ts'
