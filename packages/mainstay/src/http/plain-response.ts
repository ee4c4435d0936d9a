import { toJson } from '../core/json.ts'

/** An answer as it goes over the wire, made without knowing which server sends it. */
export interface PlainResponse {
  readonly status: number
  /** Names as they are to be written. `Content-Length` is added when it is sent. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** An answer whose body is JSON. */
export function jsonResponse(
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): PlainResponse {
  return { status, headers: { 'Content-Type': 'application/json', ...headers }, body: toJson(body) }
}

/** The same answer with more headers. */
export function withHeaders(response: PlainResponse, headers: Readonly<Record<string, string>>): PlainResponse {
  return { ...response, headers: { ...response.headers, ...headers } }
}
