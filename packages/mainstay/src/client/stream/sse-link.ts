import { errorMessage } from '../../core/errors.ts'
import { readFault } from '../fault.ts'
import type { Link, LinkListener } from './link.ts'
import { SseParser } from './sse-parser.ts'

/**
 * Connects with server-sent events, over `fetch`: unlike `EventSource` it can send a token, and says why it was refused.
 */
export function openSse(
  { url, headers, fetch }: { url: string; headers: Readonly<Record<string, string>>; fetch: typeof globalThis.fetch },
  listener: LinkListener,
): Link {
  const stop = new AbortController()
  const read = async (): Promise<void> => {
    const response = await fetch(url, {
      // No header beyond these: with one a page of another origin would have to ask for leave first.
      headers: { accept: 'text/event-stream', ...headers },
      cache: 'no-store',
      redirect: 'manual',
      signal: stop.signal,
    })
    if (!response.ok || response.body === null) {
      const { status, retryAfterMs, message } = readFault(response, await response.text())
      listener.ended({ kind: 'refused', status, retryAfterMs, message })
      return
    }
    const parser = new SseParser()
    const decoder = new TextDecoder()
    const reader = response.body.getReader()
    for (;;) {
      const { done, value } = await reader.read()
      if (stop.signal.aborted) return
      if (done) break
      listener.alive()
      for (const { data } of parser.push(decoder.decode(value, { stream: true }))) listener.frame(data)
    }
    listener.ended({ kind: 'failed', message: 'the server ended the stream' })
  }
  read().catch((error: unknown) => {
    // `fetch` hides the reason of a failed connection in the cause of its error.
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error
    if (!stop.signal.aborted) listener.ended({ kind: 'failed', message: errorMessage(cause) })
  })
  return { send: () => false, close: () => stop.abort() }
}
