import { formatTimestamp } from '../../core/timestamp.ts'

const DAY_MS = 86_400_000

/** Texts of days that were asked for lately: a list of records asks for the same few again and again. */
const days = new Map<number, string>()
const MAX_DAYS = 1000

/** The minutes of a day, `HH:MM:`. */
const MINUTES = Array.from({ length: 1440 }, (_, minute) => `${two(Math.floor(minute / 60))}:${two(minute % 60)}:`)

/** The seconds of a minute, with their fraction. */
const SECONDS = Array.from({ length: 60 }, (_, second) => `${two(second)}.000000`)

function two(value: number): string {
  return String(value).padStart(2, '0')
}

/** As `formatWholeSeconds` of the core, quick enough for three times in each record of a long list. */
export function formatSecond(ms: number): string {
  const day = Math.floor(ms / DAY_MS)
  const second = Math.floor((ms - day * DAY_MS) / 1000)
  return dayText(day) + MINUTES[Math.floor(second / 60)]! + SECONDS[second % 60]!
}

/** As `formatTimestamp` of the core, with its milliseconds, as quick as without. */
export function formatMoment(ms: number): string {
  const millis = ((ms % 1000) + 1000) % 1000
  const second = formatSecond(ms)
  return millis === 0 ? second : `${second.slice(0, -'000000'.length)}${String(millis).padStart(3, '0')}000`
}

function dayText(day: number): string {
  const known = days.get(day)
  if (known !== undefined) return known
  const text = formatTimestamp(day * DAY_MS).slice(0, 'YYYY-MM-DDT'.length)
  if (days.size >= MAX_DAYS) days.clear()
  days.set(day, text)
  return text
}
