import type { FastifyReply } from 'fastify'

import { RequestAbortedError } from './errors.ts'

/**
 * Aborted when the client goes away before it has its whole answer; already aborted when it went before this was asked,
 * for a response tells that it is closed only once.
 */
export function goneSignal({ raw }: Pick<FastifyReply, 'raw'>): AbortSignal {
  const gone = new AbortController()
  const onClose = (): void => {
    if (!raw.writableFinished) gone.abort(new RequestAbortedError())
  }
  if (raw.closed) onClose()
  else raw.once('close', onClose)
  return gone.signal
}
