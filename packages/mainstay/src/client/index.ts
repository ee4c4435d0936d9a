export { createClient, type ClientOptions, type MainstayClient } from './client.ts'
export { MainstayApiError, ServerUnreachableError, UnexpectedAnswerError, type ApiFault } from './errors.ts'
export { DEFAULT_PAGE_SIZE, type ListOptions } from './paging.ts'
export { fixedToken, type TokenSource } from './token.ts'
export {
  DEFAULT_MICROVERSION,
  DEFAULT_TIMEOUT_MS,
  Transport,
  type Answer,
  type Call,
  type CallOptions,
  type TransportOptions,
} from './transport.ts'
export type { StoredRecord } from './stored-record.ts'
export type { ApiVersion, ApiVersions } from './api-version.ts'
export type { Extension, Extensions } from './extension.ts'
export {
  RECOVERY_METHODS,
  segmentPath,
  type NewSegment,
  type RecoveryMethod,
  type Segment,
  type SegmentChange,
  type SegmentListOptions,
  type Segments,
} from './segment.ts'
export {
  hostPath,
  hostsPath,
  type Host,
  type HostChange,
  type HostListOptions,
  type Hosts,
  type NewHost,
} from './host.ts'
export {
  FINAL_NOTIFICATION_STATUSES,
  NOTIFICATION_STATUSES,
  NOTIFICATION_TYPES,
  notificationPath,
  type NewNotification,
  type NewNotificationOptions,
  type Notification,
  type NotificationListOptions,
  type NotificationPayload,
  type Notifications,
  type NotificationStatus,
  type NotificationType,
  type ProgressDetail,
  type TaskProgress,
} from './notification.ts'
export { VMOVE_STATUSES, VMOVE_TYPES, type Vmove, type VmoveListOptions, type Vmoves } from './vmove.ts'
export {
  FINAL_RECOVERY_STATUSES,
  RECOVERY_PHASES,
  RECOVERY_STATUSES,
  recoveryActionPath,
  type DecisionRecord,
  type Recoveries,
  type Recovery,
  type RecoveryAction,
  type RecoveryListOptions,
  type RecoveryStatus,
  type RecoveryStep,
  type TimelineEntry,
  type WaitsFor,
} from './recovery.ts'
export { computeHostPath, type ComputeHostRecord, type ComputeHosts } from './compute-host.ts'
export { FENCES_PATH, type DeathAssertion, type Fences } from './fence.ts'
export * from './stream/index.ts'
export * from './pool/index.ts'
export { EVENTS_PATH, connectionPath, type Events, type HistoryOptions, type StreamConnection } from './events.ts'
export {
  WEBHOOKS_PATH,
  WEBHOOK_FORMATS,
  redeliverPath,
  webhookPath,
  type DeadLetter,
  type NewWebhook,
  type Webhook,
  type WebhookChange,
  type Webhooks,
} from './webhook.ts'
