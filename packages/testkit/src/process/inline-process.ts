import { monotonicMs, pauseMs } from '../clock.ts'
import { TestkitError } from '../errors.ts'
import type { ExitInfo, InlineServer, StopPolicy } from '../spec.ts'
import { stopTimes } from './stop-times.ts'

/**
 * A server object of the test process, seen as the kit sees a process: it comes up, it may fail to, it ends.
 *
 *   opening ──▶ open ──stop──▶ exited 0
 *      ├──the function rejected──▶ exited 1
 *      └──given up by a stop──▶ exited 0; what comes later is closed at once
 *
 * Source: testkit.md A13.
 */
export class InlineProcess {
  readonly exited: Promise<ExitInfo>
  /** Aborts when it has ended. */
  readonly ended: AbortSignal
  readonly #ended = new AbortController()
  readonly #opening: Promise<InlineServer>
  readonly #resolveExit: (exit: ExitInfo) => void
  #server: InlineServer | undefined
  #exit: ExitInfo | undefined
  #failure: unknown
  #closing: Promise<void> | undefined

  /** @param onFailure told what the function rejected with, before the end is known */
  constructor(open: () => Promise<InlineServer>, onFailure: (reason: unknown) => void) {
    const { promise, resolve } = Promise.withResolvers<ExitInfo>()
    this.exited = promise
    this.#resolveExit = resolve
    this.ended = this.#ended.signal
    this.#opening = Promise.resolve().then(open)
    this.#watch(onFailure).catch(() => undefined)
  }

  /** Undefined until it is open. */
  get server(): InlineServer | undefined {
    return this.#server
  }

  get exit(): ExitInfo | undefined {
    return this.#exit
  }

  /** What the function rejected with. */
  get failure(): unknown {
    return this.#failure
  }

  /** Whether it is open, or has ended, within this time. */
  async opensWithin(ms: number): Promise<boolean> {
    await this.#atMost(ms, Promise.allSettled([this.#opening]))
    return this.#server !== undefined || this.#exit !== undefined
  }

  /** Whether a oneshot is through: opening it is all that it does. */
  async endsWithin(ms: number): Promise<boolean> {
    const startedAt = monotonicMs()
    if (!(await this.opensWithin(ms))) return false
    if (this.#exit === undefined) await this.stop({ deadlineMs: Math.max(1, ms - (monotonicMs() - startedAt)) })
    return true
  }

  /** Throws what `close` throws, and TK_STOP_FAILED when it does not return within the deadline. */
  async stop(policy: StopPolicy): Promise<ExitInfo> {
    const server = this.#server
    if (this.#exit === undefined && server !== undefined) {
      const { deadlineMs } = stopTimes(policy)
      this.#closing ??= Promise.resolve().then(() => server.close())
      try {
        if (!(await this.#atMost(deadlineMs, this.#closing))) {
          throw new TestkitError(
            'TK_STOP_FAILED',
            `close() of the server object did not return within ${deadlineMs} ms`,
          )
        }
      } catch (error) {
        if (!(error instanceof TestkitError)) this.#end({ code: 1, clean: false })
        throw error
      }
    }
    if (this.#exit === undefined) this.#end({ code: 0, clean: true })
    return await this.exited
  }

  /** It has none. */
  async removeStragglers(): Promise<void> {
    await Promise.resolve()
  }

  async #watch(onFailure: (reason: unknown) => void): Promise<void> {
    try {
      const server = await this.#opening
      if (this.#exit === undefined) this.#server = server
      else await server.close()
    } catch (reason) {
      if (this.#exit !== undefined) return
      this.#failure = reason
      onFailure(reason)
      this.#end({ code: 1, clean: false })
    }
  }

  #end({ code, clean }: { code: number; clean: boolean }): void {
    if (this.#exit !== undefined) return
    this.#exit = { code, signal: null, escalated: false, clean }
    this.#server = undefined
    this.#resolveExit(this.#exit)
    this.#ended.abort()
  }

  /** Whether the work was done in this time, or the end came. Throws what the work throws. */
  async #atMost(ms: number, work: Promise<unknown>): Promise<boolean> {
    const done = new AbortController()
    const stop = AbortSignal.any([done.signal, this.ended])
    try {
      return await Promise.race([work.then(() => true), pauseMs(ms, stop).then(() => this.#exit !== undefined)])
    } finally {
      done.abort()
    }
  }
}
