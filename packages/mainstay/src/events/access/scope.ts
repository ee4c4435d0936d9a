import type { RequestContext } from '../../core/context.ts'
import { canonicalJson } from '../../core/json.ts'
import type { StreamEvent } from '../stream-event.ts'

/** Which events somebody may see at all. A filter can only narrow it. Source: event-stream.md R31. */
export type EventScope = { readonly all: true } | { readonly all: false; readonly projects: readonly string[] }

export const ALL_EVENTS: EventScope = { all: true }

/** The role that may see the events of every project. */
export const READ_ALL_ROLE = 'events:read:all'

/** What a caller may see: admins and {@link READ_ALL_ROLE} everything, others the events of their project. */
export function scopeOf(context: Pick<RequestContext, 'isAdmin' | 'roles' | 'projectId'>): EventScope {
  if (context.isAdmin || context.roles.includes(READ_ALL_ROLE)) return ALL_EVENTS
  return { all: false, projects: context.projectId === null ? [] : [context.projectId] }
}

/** Whether an event may be seen; one that belongs to no project only by those who may see all. */
export function inScope(scope: EventScope, { project_id: project }: Pick<StreamEvent, 'project_id'>): boolean {
  return scope.all || (project !== null && scope.projects.includes(project))
}

/** Equal scopes have equal keys. */
export function scopeKey(scope: EventScope): string {
  return scope.all ? '*' : canonicalJson([...new Set(scope.projects)].sort())
}
