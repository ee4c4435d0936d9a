/**
 * The router of the v1 tree: which resource and verb a method and path mean, or why none.
 *
 * Every collection and member knows the seven conventional verbs. A path and method that mean one of them which the
 * resource does not have is a 405; a path and method that mean none is a 404, never a 405.
 *
 * Source: ha-api.md 1.1, 1.2. Pure: tested by a table.
 */

export const RESOURCES = ['versions', 'extensions', 'segments', 'hosts', 'notifications', 'vmoves'] as const
export type Resource = (typeof RESOURCES)[number]
export type Verb = 'index' | 'create' | 'show' | 'update' | 'delete'

export type Route =
  | {
      readonly kind: 'action'
      readonly resource: Resource
      readonly verb: Verb
      /** Ids by resource: `{ segments: '…', hosts: '…' }`. */
      readonly ids: Partial<Record<Resource, string>>
      /** The project id that stood in the path, or null. */
      readonly projectId: string | null
    }
  | { readonly kind: 'unimplemented'; readonly verb: string }
  | { readonly kind: 'not-found' }

export interface Collection {
  readonly resource: Resource
  readonly verbs: readonly Verb[]
  /** Verbs of the form `POST {member}/{name}` that are declared but not implemented. */
  readonly memberActions: readonly string[]
  readonly children: Readonly<Record<string, Collection>>
}

const HOSTS: Collection = {
  resource: 'hosts',
  verbs: ['index', 'create', 'show', 'update', 'delete'],
  memberActions: [],
  children: {},
}

const VMOVES: Collection = { resource: 'vmoves', verbs: ['index', 'show'], memberActions: [], children: {} }

/** Paths of collections below `/v1`. */
export const COLLECTIONS: Readonly<Record<string, Collection>> = {
  versions: { resource: 'versions', verbs: ['show'], memberActions: [], children: {} },
  extensions: { resource: 'extensions', verbs: ['index', 'show'], memberActions: [], children: {} },
  segments: {
    resource: 'segments',
    verbs: ['index', 'create', 'show', 'update', 'delete'],
    memberActions: ['action'],
    children: { hosts: HOSTS },
  },
  notifications: {
    resource: 'notifications',
    verbs: ['index', 'create', 'show'],
    memberActions: ['action'],
    children: { vmoves: VMOVES },
  },
}

const NOT_FOUND: Route = { kind: 'not-found' }
const FORMAT_SUFFIX = /\.(?:json|xml)$/
const DEFAULT_PROJECT_ID = /^[0-9a-f-]+$/

/**
 * @param path decoded, without the query, starting with `/v1`
 * @param projectIdPattern what a project id in the path looks like, as a whole
 */
export function routeMasakari(method: string, path: string, projectIdPattern: RegExp = DEFAULT_PROJECT_ID): Route {
  if (path === '/v1' || path === '/v1/') {
    return method === 'GET' ? action('versions', 'show', {}) : NOT_FOUND
  }
  const parts = path.slice('/v1/'.length).split('/')
  const plain = routeCollection(method, COLLECTIONS, parts, {})
  if (plain.kind !== 'not-found') return plain
  const [projectId, ...rest] = parts
  if (projectId === undefined || rest.length === 0 || !projectIdPattern.test(projectId)) return NOT_FOUND
  const scoped = routeCollection(method, COLLECTIONS, rest, {})
  return scoped.kind === 'action' ? { ...scoped, projectId } : scoped
}

function routeCollection(
  method: string,
  collections: Readonly<Record<string, Collection>>,
  parts: readonly string[],
  ids: Partial<Record<Resource, string>>,
): Route {
  const [name = '', ...rest] = parts
  const last = rest.length === 0
  const collection = find(collections, last ? name.replace(FORMAT_SUFFIX, '') : name)
  if (collection === undefined) return NOT_FOUND
  if (last) return verb(collection, { GET: 'index', POST: 'create' }[method], ids)
  const [member = '', ...below] = rest
  if (member === '') return NOT_FOUND
  if (below.length === 0) return routeMember(method, collection, member, ids)
  return routeBelow(method, collection, below, { ...ids, [collection.resource]: member })
}

function routeMember(
  method: string,
  collection: Collection,
  part: string,
  ids: Partial<Record<Resource, string>>,
): Route {
  const member = part.replace(FORMAT_SUFFIX, '') || part
  if (method === 'GET' && member === 'new') return { kind: 'unimplemented', verb: 'new' }
  return verb(collection, { GET: 'show', PUT: 'update', DELETE: 'delete' }[method], {
    ...ids,
    [collection.resource]: member,
  })
}

function routeBelow(
  method: string,
  collection: Collection,
  below: readonly string[],
  ids: Partial<Record<Resource, string>>,
): Route {
  const [part = ''] = below
  if (below.length === 1) {
    const name = part.replace(FORMAT_SUFFIX, '')
    if (method === 'GET' && name === 'edit') return { kind: 'unimplemented', verb: 'edit' }
    if (method === 'POST' && collection.memberActions.includes(name)) return { kind: 'unimplemented', verb: name }
  }
  return routeCollection(method, collection.children, below, ids)
}

function verb(collection: Collection, name: string | undefined, ids: Partial<Record<Resource, string>>): Route {
  if (name === undefined) return NOT_FOUND
  const known = collection.verbs.find((candidate) => candidate === name)
  return known === undefined ? { kind: 'unimplemented', verb: name } : action(collection.resource, known, ids)
}

function action(resource: Resource, name: Verb, ids: Partial<Record<Resource, string>>): Route {
  return { kind: 'action', resource, verb: name, ids, projectId: null }
}

function find(collections: Readonly<Record<string, Collection>>, name: string): Collection | undefined {
  return Object.hasOwn(collections, name) ? collections[name] : undefined
}
