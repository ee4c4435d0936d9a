import { STATUS_CODES } from 'node:http'

import { toJson } from '../core/json.ts'
import { bestOffer } from './accept.ts'
import { withHeaders, type PlainResponse } from './plain-response.ts'

/** Titles that clients know by an older name. */
const TITLES: Readonly<Record<number, string>> = { 413: 'Request Entity Too Large' }

/**
 * An error that is no JSON fault: a router 404, an oversized body, an identity service that does not answer. Its form
 * follows the `Accept` header: plain text without one, an object for JSON, a small page for a browser.
 *
 * Source: ha-api.md 1.1, 1.3, 4.1.
 */
export function statusPage(status: number, sentence: string, accept: string | undefined): PlainResponse {
  const title = TITLES[status] ?? STATUS_CODES[status] ?? 'Error'
  const line = `${status} ${title}`
  const kind = bestOffer(accept, ['text/html', 'application/json'], { exactly: true })
  if (kind === 'application/json') {
    return {
      status,
      headers: { 'Content-Type': 'application/json' },
      body: toJson({ message: `${escapeHtml(sentence)}<br /><br />\n\n\n`, code: line, title }),
    }
  }
  if (kind === 'text/html') {
    const body = `<html>\n <head>\n  <title>${line}</title>\n </head>\n <body>\n  <h1>${line}</h1>\n  ${escapeHtml(sentence)}\n </body>\n</html>`
    return { status, headers: { 'Content-Type': 'text/html; charset=UTF-8' }, body }
  }
  return { status, headers: { 'Content-Type': 'text/plain; charset=UTF-8' }, body: `${line}\n\n${sentence}\n` }
}

/** An oversized body ends the connection: what is left of it is not worth reading. */
export function tooLarge(accept: string | undefined): PlainResponse {
  return withHeaders(statusPage(413, 'Request is too large.', accept), { Connection: 'close' })
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
