import { errorMessage } from '../../core/errors.ts'
import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/logging.ts'
import type { TaskGroup } from '../../core/task-group.ts'
import { EventLogUnavailableError } from '../../events/errors.ts'
import type { EventLog } from '../../events/log.ts'

/** Drops now and then what the retention does not keep (event-stream.md R5). */
export function trimEventLog(
  log: EventLog,
  { clock, logger, tasks, intervalMs }: { clock: Clock; logger: Logger; tasks: TaskGroup; intervalMs: number },
): void {
  void tasks.spawn('trim events', async (signal) => {
    for (;;) {
      await clock.sleep(intervalMs, { signal })
      try {
        const dropped = await log.trim()
        if (dropped > 0) logger.debug({ dropped }, 'Old events were dropped')
      } catch (error) {
        signal.throwIfAborted()
        const level = error instanceof EventLogUnavailableError ? 'debug' : 'error'
        logger[level]({ err: error }, `Old events could not be dropped: ${errorMessage(error)}`)
      }
    }
  })
}
