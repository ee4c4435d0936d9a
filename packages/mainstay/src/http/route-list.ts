import type { RouteOptions } from 'fastify'

import type { JsonObject } from '../core/json.ts'
import type { HttpApp } from './app.ts'
import { nativeOperation } from './native-operation.ts'

declare module 'fastify' {
  interface FastifySchema {
    /** What the route does, for the OpenAPI document. */
    readonly description?: string
  }
}

const routes = new WeakMap<object, RouteOptions[]>()

/** Remembers every route that is registered from now on, so that it can be described. */
export function rememberRoutes(app: HttpApp): void {
  const known: RouteOptions[] = []
  routes.set(app.server, known)
  app.addHook('onRoute', (route) => void known.push(route))
}

/** Every route that was registered, as `GET /path/:id`. */
export function registeredRoutes(app: HttpApp): string[] {
  return (routes.get(app.server) ?? []).flatMap(({ method, url }) => [method].flat().map((each) => `${each} ${url}`))
}

/** The native routes (below `/api/`) as paths of an OpenAPI document, made from the schemas they are checked with. */
export function nativePaths(app: HttpApp): JsonObject {
  const paths: Record<string, Record<string, JsonObject>> = {}
  for (const route of routes.get(app.server) ?? []) {
    if (!route.url.startsWith('/api/') || route.url.includes('*')) continue
    const path = route.url.replace(/:(\w+)/g, '{$1}')
    for (const method of [route.method].flat()) {
      if (method === 'HEAD') continue
      ;(paths[path] ??= {})[method.toLowerCase()] = nativeOperation(method, path, route)
    }
  }
  return paths
}
