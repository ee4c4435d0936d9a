import { errorMessage } from '../../core/errors.ts'
import { toJson } from '../../core/json.ts'
import type { Logger } from '../../core/logging.ts'
import { hearClient, type Inbound } from './client-dialogue.ts'
import type { FilterChanges } from './filter-lists.ts'
import { SocketDisconnected, type Socket } from './socket.ts'

/** The part of a manager that one client needs. */
export interface SocketDesk {
  connect(socket: Socket): Promise<void>
  disconnect(socket: Socket): void
  updateFilters(socket: Socket, changes: FilterChanges): void
}

/**
 * Serves one client of an embedded {@link StreamManager} until it is gone, and always forgets it then.
 *
 * Source: event-stream.md section 6.
 *
 * @param inbound what the client sends; ends, or throws `SocketDisconnected`, when it closes
 */
export async function serveSocket(
  { desk, logger, tellErrors = false }: { desk: SocketDesk; logger: Logger; tellErrors?: boolean },
  socket: Socket,
  inbound: AsyncIterable<Inbound>,
): Promise<void> {
  await desk.connect(socket)
  try {
    for await (const message of inbound) {
      await hearClient(
        {
          updateFilters: (changes) => desk.updateFilters(socket, changes),
          reply: (reply) => socket.sendText(toJson(reply)),
          close: (code, reason) => socket.close(code, reason),
          logger,
          tellErrors,
        },
        message,
      )
      if (message === null) return
    }
  } catch (error) {
    if (!(error instanceof SocketDisconnected)) {
      logger.error({ err: error }, `Serving a client of the event stream failed: ${errorMessage(error)}`)
    }
  } finally {
    desk.disconnect(socket)
  }
}
