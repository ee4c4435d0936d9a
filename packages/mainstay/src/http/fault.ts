import { toJson } from '../core/json.ts'
import type { PlainResponse } from './plain-response.ts'

const KEYS: Readonly<Record<number, string>> = {
  400: 'badRequest',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'itemNotFound',
  405: 'badMethod',
  409: 'conflictingRequest',
  413: 'overLimit',
  415: 'badMediaType',
  429: 'overLimit',
  501: 'notImplemented',
  503: 'serviceUnavailable',
}

/** The member under which a fault of this status stands. Source: ha-api.md 1.5. */
export function faultKey(status: number): string {
  return KEYS[status] ?? 'masakariFault'
}

/**
 * An error as every Masakari client expects it.
 *
 * @param retryAfterS seconds after which a repeat makes sense; sent as `Retry-After`, and in the body where it belongs
 */
export function faultResponse(status: number, message: string, retryAfterS?: number): PlainResponse {
  const key = faultKey(status)
  const limited = retryAfterS !== undefined && key === 'overLimit'
  return {
    status,
    headers: {
      'Content-Type': 'application/json; charset=UTF-8',
      ...(retryAfterS === undefined ? {} : { 'Retry-After': String(retryAfterS) }),
    },
    body: toJson({ [key]: { code: status, message, ...(limited ? { retryAfter: String(retryAfterS) } : {}) } }),
  }
}
