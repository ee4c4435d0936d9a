import type { Clock } from '../../core/clock.ts'
import { TimeoutError, errorMessage } from '../../core/errors.ts'
import { withDeadline } from '../../core/deadline.ts'
import type { Logger } from '../../core/logging.ts'

/** A loop that runs in the background. */
export interface LoopTask {
  readonly ended: boolean
  /** Waits for its end, but no longer than `timeoutMs`. */
  wait(options: { timeoutMs: number }): Promise<void>
}

/** Starts a loop; the loop itself is a plain method that can also be called and awaited. */
export type StartLoop = (name: string, loop: () => Promise<void>) => LoopTask

/** Loops of this process. What a loop throws is logged with its name. */
export function loopStarter({ clock, logger }: { clock: Clock; logger: Logger }): StartLoop {
  return (name, loop) => {
    let ended = false
    const running = Promise.try(loop)
      .catch((error: unknown) => logger.error({ err: error, loop: name }, `The ${name} failed: ${errorMessage(error)}`))
      .finally(() => {
        ended = true
      })
    return {
      get ended() {
        return ended
      },
      wait: async ({ timeoutMs }) => {
        try {
          await withDeadline({ clock, what: `Stopping the ${name}`, timeoutMs }, async () => await running)
        } catch (error) {
          if (!(error instanceof TimeoutError)) throw error
          logger.warn(errorMessage(error))
        }
      },
    }
  }
}
