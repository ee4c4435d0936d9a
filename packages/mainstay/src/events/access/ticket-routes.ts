import type { Clock } from '../../core/clock.ts'
import { formatZulu } from '../../core/timestamp.ts'
import { requestContextOf, type HttpApp } from '../../http/index.ts'
import type { Tickets } from './tickets.ts'

/** `POST /v1/events/tickets`: a ticket in place of the token that it is asked with. Source: event-stream.md R28. */
export function ticketRoutes(app: HttpApp, { tickets, clock }: { tickets: Tickets; clock: Clock }): void {
  app.post('/v1/events/tickets', async (request, reply) => {
    const { ticket, expiresAtMs } = await tickets.issue(requestContextOf(request))
    void reply.header('Cache-Control', 'no-store')
    return await reply.code(201).send({
      ticket,
      expires_at: formatZulu(expiresAtMs),
      expires_in_ms: Math.max(0, expiresAtMs - clock.now()),
    })
  })
}
