import type { PoolChange, PoolNews } from './change.ts'

/** How many changes a watcher may be behind before it is told of a gap instead. */
const MOST_BEHIND = 10_000

/** Tells everybody in this process who watches the pool what has changed. */
export class ChangeHub {
  readonly #watchers = new Set<(news: readonly PoolNews[]) => void>()

  tell(changes: readonly PoolChange[]): void {
    if (changes.length === 0 || this.#watchers.size === 0) return
    const news = changes.map((change): PoolNews => ({ kind: 'change', change }))
    for (const watcher of this.#watchers) watcher(news)
  }

  /** Tells everybody that some changes were not seen. */
  gap(): void {
    for (const watcher of this.#watchers) watcher([{ kind: 'gap' }])
  }

  /** What happens from the call on, not from the first step of the iteration on. Ends when the signal is aborted. */
  watch(signal: AbortSignal): AsyncIterable<PoolNews> {
    const queue: PoolNews[] = []
    let wake = Promise.withResolvers<void>()
    const watcher = (news: readonly PoolNews[]): void => {
      if (queue.length + news.length > MOST_BEHIND) queue.splice(0, queue.length, { kind: 'gap' })
      else queue.push(...news)
      wake.resolve()
    }
    const stop = (): void => {
      this.#watchers.delete(watcher)
      wake.resolve()
    }
    if (!signal.aborted) {
      this.#watchers.add(watcher)
      signal.addEventListener('abort', stop, { once: true })
    }
    const leave = (): void => {
      signal.removeEventListener('abort', stop)
      this.#watchers.delete(watcher)
    }
    async function* news(): AsyncGenerator<PoolNews> {
      try {
        while (!signal.aborted) {
          wake = Promise.withResolvers<void>()
          if (queue.length === 0) await wake.promise
          for (const each of queue.splice(0)) {
            if (signal.aborted) return
            yield each
          }
        }
      } finally {
        leave()
      }
    }
    return news()
  }
}
