import { DomainEventId, type DomainEventOf } from '@mainstay/libvirt-rpc'

/** The kinds of libvirt events that the monitor asks for. Source: monitors.md IM-5; MEMORY_FAILURE from 7.3. */
export const WATCHED_EVENTS = [
  DomainEventId.LIFECYCLE,
  DomainEventId.REBOOT,
  DomainEventId.RTC_CHANGE,
  DomainEventId.WATCHDOG,
  DomainEventId.IO_ERROR,
  DomainEventId.GRAPHICS,
  DomainEventId.IO_ERROR_REASON,
  DomainEventId.CONTROL_ERROR,
  DomainEventId.DISK_CHANGE,
  DomainEventId.MEMORY_FAILURE,
] as const

type WatchedId = (typeof WATCHED_EVENTS)[number]

/** Any of them, to be told apart by `id`. */
export type WatchedEvent = { [Id in WatchedId]: DomainEventOf<Id> }[WatchedId]

/** A libvirt event as the report table is looked up: -1 where a kind of event has no such number. */
export interface EventTriple {
  readonly id: number
  readonly type: number
  readonly detail: number
}

/** Source: monitors.md 7.2. A memory failure is ours: its action is its type, as with the other actions. */
export function normalise(event: WatchedEvent): EventTriple {
  switch (event.id) {
    case DomainEventId.LIFECYCLE:
      return { id: event.id, type: event.event, detail: event.detail }
    case DomainEventId.WATCHDOG:
    case DomainEventId.IO_ERROR:
    case DomainEventId.MEMORY_FAILURE:
      return { id: event.id, type: event.action, detail: -1 }
    case DomainEventId.GRAPHICS:
      return { id: event.id, type: -1, detail: event.phase }
    default:
      return { id: event.id, type: -1, detail: -1 }
  }
}
