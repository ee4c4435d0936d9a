import { UnsupportedMediaTypeError } from './errors.ts'
import { bestOffer } from './accept.ts'

/** Media types of the HA API. Source: ha-api.md 1.3. */

export const JSON_TYPE = 'application/json'
export const VENDOR_TYPE = 'application/vnd.openstack.masakari+json'

/** @throws UnsupportedMediaTypeError for every content type but JSON, plain text and none, whatever the method */
export function requireJsonContent(contentType: string | undefined): void {
  const type = (contentType ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? ''
  if (type === '' || type === 'text/plain' || type === JSON_TYPE || type === VENDOR_TYPE) return
  throw new UnsupportedMediaTypeError(contentType ?? '')
}

/** `application/json;version=1` where the path names no version: the older way to choose one. Source: ha-api.md 1. */
export function choosesV1(headers: { readonly [name in 'content-type' | 'accept']?: string | undefined }): boolean {
  return [headers['content-type'], headers.accept].some((header) => header !== undefined && V1_PARAMETER.test(header))
}

const V1_PARAMETER = /;\s*version\s*=\s*"?1"?\s*(?:[;,]|$)/i

/** The media type of a success response: what `Accept` likes best, never an error. */
export function responseType(accept: string | undefined, path: string): string {
  if (path.endsWith('.json')) return JSON_TYPE
  return bestOffer(accept, [JSON_TYPE, VENDOR_TYPE]) ?? JSON_TYPE
}
