import { isJsonObject, parseJson, type Json } from '../core/json.ts'
import type { ApiFault } from './errors.ts'

/** The longest text of a body without a known form that is repeated in an error. */
const LONGEST_FOREIGN_TEXT = 200

/**
 * Reads what a server says when it refuses.
 *
 * The forms: the fault `{"<key>": {"code": 409, "message"}}`, the token middleware's `{"error": {…}}` of the same shape,
 * the native API's `{"error": {"code": "MS_…", "message"}}`, the router's `{"message", "code", "title"}`, plain text.
 *
 * Source: ha-api.md 1.1, 1.5, 4.1.
 */
export function readFault(response: { status: number; headers: Headers }, body: string): ApiFault {
  const { status, headers } = response
  const said = faultOf(body)
  return {
    status,
    faultKey: said.key,
    requestId: headers.get('x-openstack-request-id'),
    retryAfterMs: retryAfterMs(headers.get('retry-after')),
    message: said.message === '' ? `The server answered ${status} and gave no reason.` : said.message,
  }
}

function faultOf(body: string): { key: string | null; message: string } {
  const json = readJson(body)
  if (!isJsonObject(json)) return { key: null, message: plainText(body) }
  for (const [key, value] of Object.entries(json)) {
    if (!isJsonObject(value) || typeof value['message'] !== 'string') continue
    const { code } = value
    return { key: typeof code === 'string' ? code : key, message: oneLine(value['message']) }
  }
  const text = [json['detail'], json['message'], json['title']].find((member) => typeof member === 'string')
  const code = json['code']
  return { key: typeof code === 'string' ? code : null, message: plainText(text ?? '') }
}

function readJson(body: string): Json | undefined {
  try {
    return parseJson(body, 'the answer')
  } catch {
    // Plain text and HTML are among the known forms: the caller shows them as text.
    return undefined
  }
}

function plainText(body: string): string {
  const text = oneLine(body.replace(/<[^>]*>/g, ' '))
  return text.length > LONGEST_FOREIGN_TEXT ? `${text.slice(0, LONGEST_FOREIGN_TEXT)}…` : text
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim()
}

/** `Retry-After` in its form of seconds; the form with a date is not used by our servers. Source: RFC 9110 10.2.3. */
function retryAfterMs(value: string | null): number | null {
  return value !== null && /^\d{1,6}$/.test(value) ? Number(value) * 1000 : null
}
