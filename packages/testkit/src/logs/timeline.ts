import type { LogLine } from './log-line.ts'

/** Merges streams by time. Lines of one stream keep their order even when their own timestamps go backwards. */
export function mergeTimeline(streams: readonly (readonly LogLine[])[]): LogLine[] {
  const places = streams.filter((lines) => lines.length > 0).map((lines) => ({ lines, next: 0, latest: 0 }))
  const merged: LogLine[] = []
  for (;;) {
    let first: (typeof places)[number] | undefined
    for (const place of places) {
      if (place.next < place.lines.length && (first === undefined || timeOf(place) < timeOf(first))) first = place
    }
    if (first === undefined) return merged
    first.latest = timeOf(first)
    merged.push(first.lines[first.next++]!)
  }
}

/** `+12.345s api/stderr | text`, one line each; a colour per server on a terminal. */
export function formatTimeline(lines: readonly LogLine[], options: { startAt: number; colour?: boolean }): string {
  const servers = [...new Set(lines.map((line) => line.server))]
  return lines
    .map((line) => {
      const seconds = ((line.at - options.startAt) / 1000).toFixed(3)
      const source = `${line.server}/${line.stream}`
      const colour = 31 + (servers.indexOf(line.server) % 6)
      return `+${seconds}s ${options.colour === true ? `\u001B[${colour}m${source}\u001B[0m` : source} | ${line.text}`
    })
    .join('\n')
}

function timeOf(place: { lines: readonly LogLine[]; next: number; latest: number }): number {
  return Math.max(place.latest, place.lines[place.next]!.at)
}
