import { LifecycleEvent } from '@mainstay/libvirt-rpc'

import type { GuestFact } from './report-table.ts'

/** Facts about a life that ends when the domain starts again. */
const ENDS = ['STOPPED_', 'SHUTDOWN_', 'CRASHED_']
const PAUSES = ['SUSPENDED_', 'CRASHED_']

/**
 * Facts that have just been told: identical (uuid, event, vir_domain_event) within the window is one report. The
 * window begins with the report, so a fact that goes on and on is told once in each window.
 *
 * A domain that starts or resumes begins another life: its next end or pause is news, however soon it comes.
 *
 * Source: monitors.md IM-6, IM-8.
 */
export class Repeats {
  readonly #toldAt = new Map<string, Map<string, number>>()

  /** Whether it was told within the window; if not, it counts as told now. Times are monotonic milliseconds. */
  isRepeat(uuid: string, fact: GuestFact, { nowMs, windowMs }: { nowMs: number; windowMs: number }): boolean {
    this.#prune(nowMs - windowMs)
    const told = this.#toldAt.get(uuid) ?? new Map<string, number>()
    const key = `${fact.event}/${fact.virDomainEvent}`
    const at = told.get(key)
    if (at !== undefined && nowMs - at < windowMs) return true
    told.set(key, nowMs)
    this.#toldAt.delete(uuid) // to the end: the map is in the order of the last report
    this.#toldAt.set(uuid, told)
    return false
  }

  /** The event is a number of `LifecycleEvent`. */
  noteLifecycle(uuid: string, event: number): void {
    if (event === LifecycleEvent.STARTED) this.forget(uuid)
    if (event === LifecycleEvent.RESUMED) this.#forget(uuid, PAUSES)
  }

  /** Its ends and pauses are news again. */
  forget(uuid: string): void {
    this.#forget(uuid, [...ENDS, ...PAUSES])
  }

  #forget(uuid: string, prefixes: readonly string[]): void {
    const told = this.#toldAt.get(uuid)
    if (told === undefined) return
    for (const key of told.keys()) {
      if (prefixes.some((prefix) => key.startsWith(`LIFECYCLE/${prefix}`))) told.delete(key)
    }
  }

  #prune(beforeMs: number): void {
    for (const [uuid, told] of this.#toldAt) {
      if (Math.max(0, ...told.values()) > beforeMs && told.size > 0) return
      this.#toldAt.delete(uuid)
    }
  }
}
