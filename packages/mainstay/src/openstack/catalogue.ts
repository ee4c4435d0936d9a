import { EndpointNotFoundError } from './errors.ts'
import type { CatalogueEntry } from './token.ts'

/** Which endpoint of the catalogue is meant; an option such as `compute:nova:publicURL` reads as one of these. */
export interface EndpointWish {
  readonly type: string
  /** The service's name, where several have the same type. */
  readonly name?: string | null
  /** `public`, `internal` or `admin`. */
  readonly interface?: string
  readonly region?: string | null
}

/** Reads `type:name:interface`, the interface also in its old spelling. Source: ha-api.md 17, 21. */
export function parseEndpointWish(text: string): EndpointWish {
  const [type = '', name = '', wanted = 'public'] = text.split(':')
  return { type, name: name === '' ? null : name, interface: wanted.replace(/URL$/, '') }
}

/**
 * The endpoint's address without a slash at the end.
 *
 * @throws EndpointNotFoundError
 */
export function findEndpoint(catalogue: readonly CatalogueEntry[], wish: EndpointWish): string {
  const { type, name = null, interface: kind = 'public', region = null } = wish
  const endpoint = catalogue
    .filter((entry) => entry.type === type && (name === null || entry.name === name))
    .flatMap((entry) => entry.endpoints)
    .find((candidate) => candidate.interface === kind && (region === null || candidate.region === region))
  if (endpoint === undefined) {
    throw new EndpointNotFoundError(
      `The service catalogue has no ${kind} endpoint of type ${type}` +
        `${name === null ? '' : `, name ${name}`}${region === null ? '' : `, region ${region}`}. ` +
        'Register it in Keystone or correct the configuration.',
    )
  }
  return endpoint.url.replace(/\/+$/, '')
}
