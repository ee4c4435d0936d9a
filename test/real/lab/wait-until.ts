import { setTimeout as pause } from 'node:timers/promises'

export interface WaitOptions {
  /** How long to wait at most, in ms. */
  readonly timeoutMs: number
  /** What is waited for, for the error's text. */
  readonly what: string
  readonly pollMs?: number
}

/**
 * Asks again and again until `look` returns something (neither `undefined` nor `false`), and returns it. Rejects with a
 * text that names what was waited for, and the last error of `look`.
 */
export async function waitUntil<Value>(
  look: () => Promise<Value | undefined | false> | Value | undefined | false,
  { timeoutMs, what, pollMs = 20 }: WaitOptions,
): Promise<Value> {
  const deadline = performance.now() + timeoutMs
  let lastError: unknown
  for (;;) {
    try {
      const seen = await look()
      if (seen !== undefined && seen !== false) return seen
      lastError = undefined
    } catch (error) {
      lastError = error
    }
    if (performance.now() >= deadline) {
      throw new Error(`Waited ${timeoutMs} ms in vain for: ${what}.`, { cause: lastError })
    }
    await pause(pollMs)
  }
}
