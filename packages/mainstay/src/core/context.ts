import { AsyncLocalStorage } from 'node:async_hooks'

/**
 * Who asked for what is being done, carried along through every await and into background work.
 *
 * Source: ha-api.md 20.4. Members that a request may lack are null, as in the serialised form.
 */
export interface RequestContext {
  readonly requestId: string
  readonly globalRequestId: string | null
  readonly userId: string | null
  readonly userName: string | null
  readonly projectId: string | null
  readonly projectName: string | null
  readonly userDomainId: string | null
  readonly projectDomainId: string | null
  readonly systemScope: string | null
  readonly roles: readonly string[]
  readonly isAdmin: boolean
  readonly isAdminProject: boolean
  readonly remoteAddress: string | null
  /** When the request arrived, in milliseconds since the Unix epoch. */
  readonly timestampMs: number
  readonly authToken: string | null
  /** When the proof of who asks ends, in milliseconds since the Unix epoch; null when it does not. */
  readonly authExpiresAtMs: number | null
}

const storage = new AsyncLocalStorage<RequestContext>()

/** A context in which everything unknown is null and nobody is admin. */
export function requestContext(
  fields: Pick<RequestContext, 'requestId' | 'timestampMs'> & Partial<RequestContext>,
): RequestContext {
  return {
    globalRequestId: null,
    userId: null,
    userName: null,
    projectId: null,
    projectName: null,
    userDomainId: null,
    projectDomainId: null,
    systemScope: null,
    roles: [],
    isAdmin: false,
    isAdminProject: true,
    remoteAddress: null,
    authToken: null,
    authExpiresAtMs: null,
    ...fields,
  }
}

/** The context for work that no request asked for: admin rights, no user, no project. */
export function adminContext(fields: Pick<RequestContext, 'requestId' | 'timestampMs'>): RequestContext {
  return requestContext({ ...fields, isAdmin: true, roles: ['admin'] })
}

/** The same request with admin rights added; the original is left as it is. */
export function elevated(context: RequestContext): RequestContext {
  const roles = context.roles.includes('admin') ? context.roles : [...context.roles, 'admin']
  return { ...context, roles: [...roles], isAdmin: true }
}

/** Runs `work` so that everything it starts sees `context`. */
export function runInContext<T>(context: RequestContext, work: () => T): T {
  return storage.run(context, work)
}

/** The context of the request being served, or undefined outside of one. */
export function currentContext(): RequestContext | undefined {
  return storage.getStore()
}
