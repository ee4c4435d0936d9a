/**
 * The time that a log line itself states, in milliseconds since 1970, or undefined.
 *
 * Known forms: pino/bunyan JSON (`time`), ISO 8601, `YYYY-MM-DD HH:MM:SS.mmm` (local time, also with a comma), syslog
 * (`Nov  3 04:05:06`, local time, the year of `now`), seconds or milliseconds since 1970 at the start of the line.
 */
export function timestampOf(line: string, now: Date): number | undefined {
  if (line.startsWith('{')) return jsonTime(line)
  const iso = /^\[?(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,6}))?(Z|[+-]\d\d:?\d\d)?/.exec(line)
  if (iso !== null) {
    const [, day, time, fraction = '0', zone = ''] = iso
    return validTime(Date.parse(`${day}T${time}.${fraction.padEnd(3, '0').slice(0, 3)}${zone}`))
  }
  const syslog = /^(?:<\d+>)?([A-Z][a-z]{2}) {1,2}(\d{1,2}) (\d\d:\d\d:\d\d)/.exec(line)
  if (syslog !== null) return validTime(Date.parse(`${syslog[1]} ${syslog[2]} ${now.getFullYear()} ${syslog[3]}`))
  const epoch = /^(\d{10})(?:(\d{3})|\.(\d{1,6}))?(?!\d)/.exec(line)
  if (epoch === null) return undefined
  return Number(epoch[1]) * 1000 + (epoch[2] === undefined ? Number(`0.${epoch[3] ?? '0'}`) * 1000 : Number(epoch[2]))
}

function jsonTime(line: string): number | undefined {
  let record: unknown
  try {
    record = JSON.parse(line)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
  const time: unknown = typeof record === 'object' && record !== null ? Reflect.get(record, 'time') : undefined
  if (typeof time === 'number') return time
  return typeof time === 'string' ? validTime(Date.parse(time)) : undefined
}

function validTime(time: number): number | undefined {
  return Number.isNaN(time) ? undefined : time
}
