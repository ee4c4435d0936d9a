import { MainstayError } from '../../core/errors.ts'
import type { Send } from '../webhooks/send.ts'
import type { HttpClient } from './notification-forwarder.ts'

/** A program that is told of notifications did not answer. */
export class ForwardingFailedError extends MainstayError {
  readonly code = 'MS_FORWARDING_FAILED'
  readonly status = 502
  readonly retryable = true
}

/** Posts JSON over the connections of webhooks. */
export function senderClient(send: Send): HttpClient {
  return {
    post: async (url, { body, timeoutMs, signal }) => {
      const headers = { 'content-type': 'application/json' }
      const answer = await send({ url, headers, body, timeoutMs, signal })
      if (answer.kind === 'answered') return { status: answer.status }
      throw new ForwardingFailedError(`${url} did not answer: ${answer.reason}. It is tried again, twice at most.`)
    },
  }
}
