import { setTimeout as pause } from 'node:timers/promises'

/** How often the collector runs before memory is looked at. */
const COLLECTIONS = 4

/** Bytes that this process holds, after what can be collected was; it needs `--expose-gc`. */
export async function memoryInUse(): Promise<number> {
  for (let round = 0; round < COLLECTIONS; round += 1) {
    globalThis.gc?.()
    await pause(20)
  }
  return process.memoryUsage.rss()
}

/** Does something so many times, each at its time, however long the one before took. */
export async function paced(count: number, everyMs: number, work: () => Promise<void>): Promise<void> {
  const begun = performance.now()
  for (let done = 0; done < count; done += 1) {
    await pause(Math.max(0, begun + (done + 1) * everyMs - performance.now()))
    await work()
  }
}
