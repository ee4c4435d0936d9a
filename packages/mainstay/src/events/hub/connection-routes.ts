import { Type } from 'typebox'

import { ForbiddenError, NotFoundError, requestContextOf, type HttpApp } from '../../http/index.ts'
import { CLOSE } from './control-frame.ts'
import type { EventHub } from './hub.ts'
import type { ConnectionFacts } from './subscribe-request.ts'
import type { Subscriber } from './subscriber.ts'

const Connection = Type.Object({ id: Type.String({ maxLength: 64 }) })

/**
 * Who listens on this node, and how to end that. For admins.
 *
 * Source: event-stream.md R37.
 */
export function connectionRoutes(app: HttpApp, hub: EventHub): void {
  app.get('/v1/events/connections', async (request) => {
    assertAdmin(requestContextOf(request))
    return { connections: [...hub.subscribers].map(([subscriber, of]) => describe(subscriber, of)) }
  })

  app.delete('/v1/events/connections/:id', { schema: { params: Connection } }, async (request, reply) => {
    assertAdmin(requestContextOf(request))
    const { id } = request.params
    const found = [...hub.subscribers].find(([, { connectionId }]) => connectionId === id)
    if (found === undefined) throw new NotFoundError(`No connection ${id} is open on this node.`)
    found[0].end(CLOSE.FORBIDDEN, 'An administrator has closed this connection.')
    return await reply.code(204).send()
  })
}

function describe(subscriber: Subscriber, { connectionId, client }: ConnectionFacts): object {
  const { state, cursor, behindEvents, unsentBytes, sent, dropped } = subscriber.figures
  const { dialect, filter, policy, scope } = subscriber.subscription
  return {
    id: connectionId,
    principal: client.name,
    address: client.address,
    transport: dialect.transport,
    format: dialect.format,
    since: client.since,
    filters: filter,
    projects: scope.all ? null : scope.projects,
    policy,
    state,
    cursor,
    lag: { events: behindEvents, bytes: unsentBytes },
    sent,
    dropped,
  }
}

function assertAdmin({ isAdmin }: { readonly isAdmin: boolean }): void {
  if (!isAdmin) throw new ForbiddenError('events:connections')
}
