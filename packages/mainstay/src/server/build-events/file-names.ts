/** The event log in the data directory. */
export const EVENT_DATABASE_NAME = 'events.db'

/** Which events of an event log on Redis this process has seen. */
export const SEEN_NAME = 'event-log-seen.json'
