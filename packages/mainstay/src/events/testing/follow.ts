import { withDeadline } from '../../core/deadline.ts'
import { SystemClock } from '../../core/clock.ts'
import type { EventLog, TailNews, TailPosition } from '../log.ts'
import type { StreamEvent } from '../stream-event.ts'

/** Generous, because a loaded machine is no reason to fail. */
const PATIENCE_MS = 30_000

/** Follows a log in the background and keeps all that it is told. */
export class Follower implements AsyncDisposable {
  readonly news: TailNews[] = []
  readonly #stopping = new AbortController()
  readonly #running: Promise<void>
  #changed = Promise.withResolvers<void>()

  constructor(log: Pick<EventLog, 'tail'>, from: TailPosition) {
    this.#running = this.#run(log, from)
  }

  /** All events told so far. */
  get events(): StreamEvent[] {
    return this.news.flatMap((news) => (news.kind === 'events' ? news.events : []))
  }

  /** Waits until a condition holds of what was told. */
  async until(what: string, condition: (follower: this) => boolean): Promise<void> {
    await withDeadline({ clock: new SystemClock(), what, timeoutMs: PATIENCE_MS }, async (signal) => {
      while (!condition(this) && !signal.aborted) await this.#changed.promise
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  async #run(log: Pick<EventLog, 'tail'>, from: TailPosition): Promise<void> {
    for await (const news of log.tail(from, { signal: this.#stopping.signal })) {
      this.news.push(news)
      this.#changed.resolve()
      this.#changed = Promise.withResolvers()
    }
  }
}
