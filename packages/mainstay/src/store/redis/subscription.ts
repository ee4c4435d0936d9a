import { ShutdownError, errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logging.ts'
import type { RedisConnection } from './connection.ts'

export interface Subscriber {
  /** The server has confirmed: what is published from now on is heard. Called again after each loss of the connection. */
  readonly onSubscribed: () => void
  readonly onMessage: (message: string) => void
}

/**
 * Hears a channel of Redis until it is disposed, over a connection of its own that is made again when it is lost. What is
 * published meanwhile is lost: that is how pub/sub works. Whoever must not miss anything looks again in `onSubscribed`.
 *
 * @param connection names the server; it is not used itself
 */
export function subscribeTo(
  connection: RedisConnection,
  channel: string,
  subscriber: Subscriber,
  { logger, name }: { logger: Logger; name?: string },
): AsyncDisposable {
  const own = connection.duplicate(name === undefined ? {} : { name })
  const hear = async (): Promise<void> => {
    try {
      await own.hear(channel, subscriber.onMessage)
      subscriber.onSubscribed()
    } catch (error) {
      if (error instanceof ShutdownError) return
      logger.warn({ channel, err: error }, `The channel cannot be heard: ${errorMessage(error)}`)
      // A connection without its channel would be silent for ever; the next one tries again.
      own.drop(error instanceof Error ? error : new Error(String(error)))
    }
  }
  own.onChange((ready) => {
    if (ready) void hear()
  })
  return { [Symbol.asyncDispose]: async () => await own.close() }
}
