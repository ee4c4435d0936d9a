import { nextTurn } from './turn.ts'

/**
 * Time as the rest of the house sees it. Rules are given a `now`; drivers and workflows are given a `Clock`, so that
 * a test or the simulation can move time by hand.
 */
export interface Clock {
  /** Wall-clock time in milliseconds since the Unix epoch. May jump when the machine's clock is set. */
  now(): number
  /** Milliseconds since an arbitrary moment; never goes back. For measuring how long something took. */
  monotonic(): number
  /** Calls `wake` once after `delayMs`, unless disposed before. The timer alone does not keep the process alive. */
  after(delayMs: number, wake: () => void): Disposable
  /** Waits `delayMs`. Rejects with the signal's reason as soon as it is aborted. */
  sleep(delayMs: number, options?: { signal?: AbortSignal | undefined }): Promise<void>
}

/** The machine's own clock; in a browser the page's. */
export class SystemClock implements Clock {
  readonly #aheadMs: number

  /** @param options how far its wall clock is ahead of the machine's, behind when negative: for tests */
  constructor({ aheadMs = 0 }: { aheadMs?: number } = {}) {
    this.#aheadMs = aheadMs
  }

  now(): number {
    return Date.now() + this.#aheadMs
  }

  monotonic(): number {
    return performance.now()
  }

  after(delayMs: number, wake: () => void): Disposable {
    return startTimer(delayMs, wake, { keepAlive: false })
  }

  async sleep(delayMs: number, options: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    await sleepOn(delayMs, options.signal, (wake) => startTimer(delayMs, wake, { keepAlive: true }))
  }
}

/** A clock that stands still until {@link ManualClock.advance} moves it. */
export class ManualClock implements Clock {
  #now: number
  #elapsed = 0
  #order = 0
  readonly #timers = new Set<{ at: number; order: number; wake: () => void }>()

  /** @param startMs where the wall clock starts, in milliseconds since the Unix epoch */
  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#now = startMs
  }

  now(): number {
    return this.#now
  }

  monotonic(): number {
    return this.#elapsed
  }

  after(delayMs: number, wake: () => void): Disposable {
    const timer = { at: this.#elapsed + Math.max(0, delayMs), order: this.#order++, wake }
    this.#timers.add(timer)
    return { [Symbol.dispose]: () => void this.#timers.delete(timer) }
  }

  async sleep(delayMs: number, options: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    await sleepOn(delayMs, options.signal, (wake) => this.after(delayMs, wake))
  }

  /** How many timers wait. */
  get pending(): number {
    return this.#timers.size
  }

  /** Moves both clocks forward and wakes, in order, every timer that falls due; lets promises settle after each. */
  async advance(ms: number): Promise<void> {
    const end = this.#elapsed + ms
    await settle()
    for (let due = this.#next(end); due !== undefined; due = this.#next(end)) {
      this.#timers.delete(due)
      this.#move(due.at)
      due.wake()
      await settle()
    }
    this.#move(end)
    await settle()
  }

  /** Sets the wall clock alone, as an operator or NTP would; timers do not notice. */
  setWallClock(nowMs: number): void {
    this.#now = nowMs
  }

  #move(elapsed: number): void {
    this.#now += elapsed - this.#elapsed
    this.#elapsed = elapsed
  }

  #next(end: number): { at: number; order: number; wake: () => void } | undefined {
    let next: { at: number; order: number; wake: () => void } | undefined
    for (const timer of this.#timers) {
      if (timer.at > end) continue
      if (next === undefined || timer.at < next.at || (timer.at === next.at && timer.order < next.order)) next = timer
    }
    return next
  }
}

/** The longest delay that a Node timer can hold; a longer one would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** A timer of any length. */
function startTimer(delayMs: number, wake: () => void, { keepAlive }: { keepAlive: boolean }): Disposable {
  // A browser's timer is a number and keeps nothing alive.
  let timer: NodeJS.Timeout | number
  const arm = (remainingMs: number): void => {
    const stepMs = Math.min(Math.max(0, remainingMs), LONGEST_TIMER_MS)
    timer = setTimeout(() => (remainingMs > stepMs ? arm(remainingMs - stepMs) : wake()), stepMs)
    if (!keepAlive && typeof timer === 'object') timer.unref()
  }
  arm(delayMs)
  return { [Symbol.dispose]: () => clearTimeout(timer) }
}

async function sleepOn(
  delayMs: number,
  signal: AbortSignal | undefined,
  start: (wake: () => void) => Disposable,
): Promise<void> {
  signal?.throwIfAborted()
  if (delayMs <= 0) return
  await new Promise<void>((resolve, reject) => {
    const onAbort = (): void => {
      timer[Symbol.dispose]()
      reject(signal?.reason as Error)
    }
    const timer = start(() => {
      signal?.removeEventListener('abort', onAbort)
      resolve()
    })
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}

/** How many turns of the event loop work may take between two timers, for example to read and write a database. */
const SETTLE_TURNS = 12

async function settle(): Promise<void> {
  for (let turn = 0; turn < SETTLE_TURNS; turn += 1) await nextTurn()
}
