import { isJsonObject, type Json, type JsonObject } from '../core/json.ts'
import { parseTimestamp } from '../core/timestamp.ts'

/** The longest answer about a token that is read; one with the catalogue of a large cloud has some hundred KiB. */
export const MAX_TOKEN_ANSWER_BYTES = 4 * 1024 * 1024

/** What Keystone says about a token. */
export interface Token {
  readonly userId: string | null
  readonly userName: string | null
  readonly userDomainId: string | null
  readonly projectId: string | null
  readonly projectName: string | null
  readonly projectDomainId: string | null
  readonly systemScope: string | null
  readonly isAdminProject: boolean
  readonly roles: readonly string[]
  /** Milliseconds since the Unix epoch. */
  readonly expiresAt: number
  readonly catalogue: readonly CatalogueEntry[]
}

export interface CatalogueEntry {
  readonly type: string
  readonly name: string
  readonly endpoints: readonly CatalogueEndpoint[]
}

export interface CatalogueEndpoint {
  readonly interface: string
  readonly region: string | null
  readonly url: string
}

/**
 * Reads the body of `GET` or `POST /v3/auth/tokens`.
 *
 * @returns undefined when it is no token
 */
export function tokenFromBody(body: Json): Token | undefined {
  const token = isJsonObject(body) ? member(body, 'token') : undefined
  const expires = token === undefined ? undefined : text(token, 'expires_at')
  const expiresAt = expires === undefined || expires === null ? undefined : parseTimestamp(expires)
  if (token === undefined || expiresAt === undefined) return undefined
  const user = member(token, 'user')
  const project = member(token, 'project')
  const system = member(token, 'system')
  return {
    userId: text(user, 'id'),
    userName: text(user, 'name'),
    userDomainId: text(member(user, 'domain'), 'id'),
    projectId: text(project, 'id'),
    projectName: text(project, 'name'),
    projectDomainId: text(member(project, 'domain'), 'id'),
    systemScope: system?.['all'] === true ? 'all' : null,
    isAdminProject: token['is_admin_project'] !== false,
    roles: objects(token['roles']).flatMap((role) => text(role, 'name') ?? []),
    expiresAt,
    catalogue: objects(token['catalog']).map(catalogueEntry),
  }
}

function catalogueEntry(entry: JsonObject): CatalogueEntry {
  return {
    type: text(entry, 'type') ?? '',
    name: text(entry, 'name') ?? '',
    endpoints: objects(entry['endpoints']).map((endpoint) => ({
      interface: text(endpoint, 'interface') ?? '',
      region: text(endpoint, 'region_id') ?? text(endpoint, 'region'),
      url: text(endpoint, 'url') ?? '',
    })),
  }
}

function member(parent: JsonObject | undefined, name: string): JsonObject | undefined {
  const value = parent?.[name]
  return isJsonObject(value) ? value : undefined
}

function text(parent: JsonObject | undefined, name: string): string | null {
  const value = parent?.[name]
  return typeof value === 'string' ? value : null
}

function objects(value: Json | undefined): JsonObject[] {
  return Array.isArray(value) ? value.filter(isJsonObject) : []
}
