/** Writes a duration as options are written, in whole milliseconds: `90000 ms`. What was computed may have a fraction. */
export function wholeMs(ms: number): string {
  return `${Math.round(ms)} ms`
}

/** Writes a duration for people: `350 ms`, `4.2 s`, `3 min 05 s`, `2 h 10 min`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return wholeMs(ms)
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.round(ms / 1000)
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`
  const minutes = Math.round(seconds / 60)
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`
}
