import { request as requestPlain, type IncomingMessage } from 'node:http'
import { request as requestTls } from 'node:https'
import { isIPv6 } from 'node:net'

import { errorMessage } from '../../core/errors.ts'
import { PASSED, addressOf, failed, type CheckOutcome, type HealthCheck } from './check.ts'

export interface HttpCheckOptions {
  readonly scheme: 'http' | 'https'
  readonly port: number
  readonly path: string
  readonly method: 'GET' | 'HEAD'
  readonly headers: Readonly<Record<string, string>>
  /** Which statuses are well. A redirection is not followed. */
  readonly statuses: readonly number[]
  /** What the body must hold, within its first 64 KiB; null if it does not matter. */
  readonly contains: string | null
  /** Whether the machine must show a certificate that is trusted for its address. */
  readonly verifyTls: boolean
}

export const DEFAULT_HTTP_CHECK: HttpCheckOptions = {
  scheme: 'http',
  port: 80,
  path: '/',
  method: 'GET',
  headers: {},
  statuses: [200, 204],
  contains: null,
  verifyTls: true,
}

const MAX_BODY_BYTES = 64 * 1024

/** Asks a web server on the machine. Source: vm-pool.md C7. */
export function httpCheck(options: Partial<HttpCheckOptions> = {}): HealthCheck {
  const given = { ...DEFAULT_HTTP_CHECK, ...options }
  return async (vm, { signal }) => {
    const address = addressOf(vm)
    const host = isIPv6(address) ? `[${address}]` : address
    const url = `${given.scheme}://${host}:${given.port}${given.path}`
    signal.throwIfAborted()
    try {
      const response = await ask(url, given, signal)
      return await judge(url, response, given)
    } catch (error) {
      signal.throwIfAborted()
      return failed(`${url}: ${errorMessage(error)}`)
    }
  }
}

async function ask(url: string, options: HttpCheckOptions, signal: AbortSignal): Promise<IncomingMessage> {
  const { scheme, method, headers, verifyTls } = options
  const answered = Promise.withResolvers<IncomingMessage>()
  const shared = { method, headers, signal, agent: false } as const
  const asking =
    scheme === 'https'
      ? requestTls(url, { ...shared, rejectUnauthorized: verifyTls }, answered.resolve)
      : requestPlain(url, shared, answered.resolve)
  asking.on('error', answered.reject)
  asking.end()
  return await answered.promise
}

async function judge(url: string, response: IncomingMessage, options: HttpCheckOptions): Promise<CheckOutcome> {
  const { statuses, contains } = options
  const status = response.statusCode ?? 0
  try {
    if (!statuses.includes(status)) return failed(`${url}: status ${status}`)
    if (contains === null) return PASSED
    const body = await beginningOf(response)
    return body.includes(contains) ? PASSED : failed(`${url}: the body does not contain the expected text`)
  } finally {
    response.destroy()
  }
}

async function beginningOf(response: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response) {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes >= MAX_BODY_BYTES) break
  }
  return Buffer.concat(chunks).subarray(0, MAX_BODY_BYTES).toString('utf8')
}
