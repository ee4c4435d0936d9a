import { toJson, type Json } from '../../core/json.ts'

/** One POST of a JSON value, as the sender needs it. */
export type HttpPost = (
  url: string,
  request: {
    readonly body: Json
    readonly headers: Readonly<Record<string, string>>
    readonly signal: AbortSignal
  },
) => Promise<HttpAnswer>

export interface HttpAnswer {
  readonly status: number
  readonly text: string
  /** The header of that name, as it came. */
  readonly retryAfter: string | null
}

/** The language's own `fetch`. It trusts the authorities that Node trusts; where others count, give another post. */
export const fetchPost: HttpPost = async (url, { body, headers, signal }) => {
  // A redirected POST may arrive as a GET: the answer is the redirect itself.
  const sent = { 'content-type': 'application/json', ...headers }
  const response = await fetch(url, { method: 'POST', body: toJson(body), headers: sent, redirect: 'manual', signal })
  return { status: response.status, text: await response.text(), retryAfter: response.headers.get('retry-after') }
}
