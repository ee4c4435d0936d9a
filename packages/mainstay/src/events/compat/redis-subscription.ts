import type { Clock } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import { parseJson, type Json } from '../../core/json.ts'
import type { Logger } from '../../core/logging.ts'
import type { BridgeSubscriber } from './bridge-redis.ts'
import { closeQuietly } from './redis-link.ts'

/** How a lost subscription is taken up again. */
export interface SubscriptionPolicy {
  /** Failures in a row after which it is given up. */
  readonly maxRetries: number
  /** @param failures how many there were since it last worked for a while, from 1 */
  readonly retryDelayMs: (failures: number) => number
  readonly pollTimeoutMs: number
  /** Longer messages are not looked at. */
  readonly maxMessageLength: number
  /** A subscription that held for so long starts again with the shortest delay. */
  readonly healthyMs: number
}

/** What the subscription needs of the bridge. */
export interface SubscriptionHost {
  readonly clock: Clock
  readonly logger: Logger
  readonly channel: string
  readonly policy: SubscriptionPolicy
  readonly signal: AbortSignal
  /** Takes the handle that is to be used next, if there is one; the subscription closes it. */
  takeHandle(): BridgeSubscriber | null
  /** Connects anew, which makes a new handle. Never throws. */
  initRedis(): Promise<void>
  /** Deals with what a message said. */
  onEvent(event: Json): Promise<void>
  onSubscribed(subscribed: boolean): void
}

/**
 * Hears one channel until shutdown.
 *
 *   no handle at all ──▶ ended
 *   handle ──subscribe──▶ subscribed ──poll──▶ subscribed … ──shutdown──▶ stopped
 *      ▲                      │ subscribe or poll fails
 *      └──init◀──wait◀── failed(n) ──n = maxRetries──▶ given up
 *
 * A handle that failed is closed before the next one is made; `n` counts from 0 again with each success. Having no
 * handle ends it only the first time: later it means that Redis is still away, which is a failure like any other.
 *
 * Source: event-stream.md 7.4.
 */
export async function runSubscription(host: SubscriptionHost): Promise<void> {
  const { clock, logger, signal, policy } = host
  let handle = host.takeHandle()
  if (handle === null) {
    logger.error('Redis subscriber not available')
    return
  }
  let retries = 0
  let failures = 0
  while (!signal.aborted && retries < policy.maxRetries) {
    const since = clock.monotonic()
    try {
      if (handle === null) throw new Error('there is no connection')
      await handle.subscribe(host.channel)
      retries = 0
      host.onSubscribed(true)
      await hear(host, handle)
    } catch (error) {
      host.onSubscribed(false)
      if (signal.aborted) break
      retries += 1
      failures = clock.monotonic() - since >= policy.healthyMs ? 1 : failures + 1
      logger.error(
        { err: error },
        `Redis subscriber error (attempt ${retries}/${policy.maxRetries}): ${errorMessage(error)}`,
      )
      await closeQuietly(handle, logger)
      handle = null
      if (retries >= policy.maxRetries) break
      await pause(host, policy.retryDelayMs(failures))
      if (signal.aborted) break
      await host.initRedis()
      handle = host.takeHandle()
    }
  }
  host.onSubscribed(false)
  await closeQuietly(handle, logger)
  if (retries >= policy.maxRetries) logger.error('Max Redis reconnection attempts reached, giving up')
  else logger.info('Redis subscriber stopped')
}

async function hear(host: SubscriptionHost, handle: BridgeSubscriber): Promise<void> {
  const { logger, signal, policy } = host
  while (!signal.aborted) {
    let frame
    try {
      frame = await handle.poll({ timeoutMs: policy.pollTimeoutMs, signal })
    } catch (error) {
      if (!signal.aborted) logger.error({ err: error }, `Error getting Redis message: ${errorMessage(error)}`)
      throw error
    }
    if (frame?.type === 'message') await hearMessage(host, frame.data)
  }
}

async function hearMessage(host: SubscriptionHost, text: string): Promise<void> {
  const { logger, policy } = host
  let event: Json
  try {
    if (text.length > policy.maxMessageLength) throw new RangeError(`it has ${text.length} letters`)
    event = parseJson(text, 'the message')
  } catch (error) {
    logger.error({ err: error }, `Failed to decode Redis event message: ${errorMessage(error)}`)
    return
  }
  try {
    await host.onEvent(event)
  } catch (error) {
    logger.error({ err: error }, `Error processing Redis event: ${errorMessage(error)}`)
  }
}

async function pause({ clock, logger, signal }: SubscriptionHost, delayMs: number): Promise<void> {
  logger.info(`Retrying Redis connection in ${delayMs / 1000} seconds`)
  try {
    await clock.sleep(delayMs, { signal })
  } catch (error) {
    if (!signal.aborted) throw error
  }
}
