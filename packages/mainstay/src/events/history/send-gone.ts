import type { FastifyReply, FastifyRequest } from 'fastify'

import { CursorGoneError } from './errors.ts'

/**
 * Answers a {@link CursorGoneError} with what the client needs to go on: why, and what the log holds.
 *
 * Source: event-stream.md R36.
 *
 * @throws every other error as it is
 */
export async function sendIfGone(error: unknown, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  if (!(error instanceof CursorGoneError)) throw error
  const { code, message, retryable, reason, extent } = error
  const body = { error: { code, message, requestId: request.id, retryable }, reason, ...extent }
  return await reply.code(error.status).send(body)
}
