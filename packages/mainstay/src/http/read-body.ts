import type { IncomingMessage } from 'node:http'

import { BodyTooLargeError, RequestAbortedError } from './errors.ts'

/**
 * Reads a request's body, never keeping more than `maxBytes` of it.
 *
 * @throws BodyTooLargeError, RequestAbortedError
 */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  const done = Promise.withResolvers<Buffer>()
  const onData = (chunk: Buffer): void => {
    bytes += chunk.length
    if (bytes > maxBytes) done.reject(new BodyTooLargeError(maxBytes))
    else chunks.push(chunk)
  }
  const onEnd = (): void => done.resolve(Buffer.concat(chunks))
  const onClose = (): void => done.reject(new RequestAbortedError())
  const onError = (error: Error): void => done.reject(new RequestAbortedError({ cause: error }))
  // A request that was cut off before this tells of it no more.
  if (request.destroyed && !request.readableEnded) throw new RequestAbortedError()
  request.on('data', onData).on('end', onEnd).on('close', onClose).on('error', onError)
  try {
    return await done.promise
  } finally {
    request.off('data', onData).off('end', onEnd).off('close', onClose).off('error', onError)
    request.resume()
  }
}

/** The length that a request announces, or undefined. */
export function announcedLength(request: {
  readonly headers: { 'content-length'?: string | undefined }
}): number | undefined {
  const header = request.headers['content-length']
  return header === undefined ? undefined : Number(header)
}
