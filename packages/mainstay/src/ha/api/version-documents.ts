import type { JsonObject } from '../../core/json.ts'
import { formatVersion, MAX_VERSION, MIN_VERSION } from '../../http/microversion.ts'

/** The version documents. Source: ha-api.md 2. */

const UPDATED = '2016-07-01T11:33:21Z'
const MEDIA_TYPES = [{ base: 'application/json', type: 'application/vnd.openstack.masakari+json;version=1' }] as const

function version(links: readonly JsonObject[]): JsonObject {
  return {
    id: 'v1.0',
    status: 'CURRENT',
    version: formatVersion(MAX_VERSION),
    min_version: formatVersion(MIN_VERSION),
    updated: UPDATED,
    links,
  }
}

/** `GET /` @param base scheme, host and prefix without a slash at the end */
export function versionList(base: string): JsonObject {
  return { versions: [version([{ rel: 'self', href: `${base}/v1/` }])] }
}

/** `GET /v1` */
export function versionDocument(base: string): JsonObject {
  const links = [
    { rel: 'self', href: `${base}/v1/` },
    { rel: 'describedby', type: 'text/html', href: 'https://docs.openstack.org/' },
  ]
  return { version: { ...version(links), 'media-types': MEDIA_TYPES } }
}

/** Any other path. */
export function multipleChoices(base: string, path: string): JsonObject {
  return {
    choices: [
      {
        id: 'v1.0',
        status: 'CURRENT',
        links: [{ rel: 'self', href: `${base}/v1${path.replace(/\/+$/, '')}` }],
        'media-types': MEDIA_TYPES,
      },
    ],
  }
}
