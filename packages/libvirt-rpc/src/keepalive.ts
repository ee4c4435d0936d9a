import type { Timers } from './timers.ts'

export interface KeepaliveOptions {
  readonly intervalMs: number
  readonly misses: number
  readonly timers: Timers
  readonly sendPing: () => void
  /** Called once, when `misses` pings in a row were followed by silence. */
  readonly onDead: () => void
}

/**
 * Watches for silence on a connection.
 *
 *   quiet ──nothing heard for intervalMs──▶ ping 1 ──▶ … ──▶ ping `misses` ──▶ dead
 *     ▲────────────────── anything heard ──────────┘
 *
 * Any message counts as a sign of life, not only the answer to a ping. So a dead peer is noticed
 * (misses + 1) * intervalMs after its last message: 20 s with the defaults (IM-2).
 */
export class Keepalive {
  readonly #options: KeepaliveOptions
  #lastHeard = 0
  #unanswered = 0
  #cancelTimer: (() => void) | undefined

  constructor(options: KeepaliveOptions) {
    this.#options = options
  }

  start(): void {
    this.heard()
    this.#arm(this.#options.intervalMs)
  }

  heard(): void {
    this.#lastHeard = this.#options.timers.now()
    this.#unanswered = 0
  }

  stop(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
  }

  #arm(delayMs: number): void {
    this.#cancelTimer = this.#options.timers.after(delayMs, () => this.#look())
  }

  #look(): void {
    const { intervalMs, misses, timers, sendPing, onDead } = this.#options
    const silentMs = timers.now() - this.#lastHeard
    if (this.#unanswered === 0 && silentMs < intervalMs) {
      this.#arm(intervalMs - silentMs)
      return
    }
    if (this.#unanswered >= misses) {
      this.stop()
      onDead()
      return
    }
    this.#unanswered += 1
    sendPing()
    this.#arm(intervalMs)
  }
}
