/**
 * Times as the APIs write and read them. Inside the house a time is a number of milliseconds since the Unix epoch.
 */

/** `YYYY-MM-DDTHH:MM:SS.ffffff`, UTC without a zone. Source: ha-api.md 5.2. */
export function formatTimestamp(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, -1)}000`
}

/** As {@link formatTimestamp} for times that are kept in whole seconds. */
export function formatWholeSeconds(ms: number): string {
  return formatTimestamp(Math.floor(ms / 1000) * 1000)
}

/** `YYYY-MM-DD HH:MM:SS.ffffff`, UTC with a space. Source: ha-api.md 16 and 18. */
export function formatSpacedTimestamp(ms: number): string {
  return formatTimestamp(ms).replace('T', ' ')
}

/** `YYYY-MM-DDTHH:MM:SS.fffZ`. Source: monitors.md SND-3. */
export function formatZulu(ms: number): string {
  return new Date(ms).toISOString()
}

const ISO_8601 =
  /^(\d{4})(?:-?(\d{2})(?:-?(\d{2}))?)?(?:[T ](\d{2})(?::?(\d{2})(?::?(\d{2})(?:[.,](\d+))?)?)?)? ?(Z|[+-]\d{2}(?::?\d{2})?)?$/i

/** The beginning of the year 1. */
const EARLIEST_MS = new Date(0).setUTCFullYear(1, 0, 1)
/** The beginning of the year 10000. */
const TOO_LATE_MS = Date.UTC(10_000, 0, 1)

/**
 * Reads an ISO 8601 date or date-time leniently: date only, a space for the `T`, basic format, fraction and offset
 * are all accepted; without an offset it is UTC. Source: ha-api.md 8.2.
 *
 * A time that lies outside the years 1 to 9999 in UTC is none: it could not be written with four digits (5.2).
 *
 * @returns milliseconds since the Unix epoch, or undefined when the text is no time
 */
export function parseTimestamp(text: string): number | undefined {
  const match = ISO_8601.exec(text.trim())
  if (match === null) return undefined
  const [, year, month = '01', day = '01', hour = '00', minute = '00', second = '00', fraction = '', zone = 'Z'] = match
  const date = [Number(year), Number(month) - 1, Number(day)] as const
  // Not Date.UTC, which takes the years 1 to 99 for those of the twentieth century.
  const midnight = new Date(0).setUTCFullYear(...date)
  const back = new Date(midnight)
  if (back.getUTCMonth() !== date[1] || back.getUTCDate() !== date[2] || back.getUTCFullYear() !== date[0]) {
    return undefined
  }
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined
  const milliseconds = Number(fraction.padEnd(3, '0').slice(0, 3))
  const ofDay = ((Number(hour) * 60 + Number(minute)) * 60 + Number(second)) * 1000 + milliseconds
  const offset = zoneOffsetMs(zone)
  if (offset === undefined) return undefined
  const ms = midnight + ofDay - offset
  return ms < EARLIEST_MS || ms >= TOO_LATE_MS ? undefined : ms
}

function zoneOffsetMs(zone: string): number | undefined {
  if (zone.toUpperCase() === 'Z') return 0
  const digits = zone.slice(1).replace(':', '')
  const hours = Number(digits.slice(0, 2))
  const minutes = Number(digits.slice(2) || '0')
  if (hours > 23 || minutes > 59) return undefined
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60_000
}
