import type { FastifyReply, FastifyRequest } from 'fastify'

import { bestOffer } from '../../http/accept.ts'
import { goneSignal } from '../../http/gone-signal.ts'
import { NotFoundError, requestContextOf, type HttpApp } from '../../http/index.ts'
import { parseTarget } from '../../http/target.ts'
import { toJson } from '../../core/json.ts'
import { inScope, scopeOf } from '../access/scope.ts'
import type { FilterLimits } from '../filter/index.ts'
import {
  CLOUDEVENT_BATCH_TYPE,
  CLOUDEVENT_TYPE,
  cloudEventBatch,
  formatCloudEvent,
  type CloudEventOptions,
} from '../format/cloudevents.ts'
import type { EventLog } from '../log.ts'
import { eventJson } from '../stored-event.ts'
import { parseHistoryQuery, type HistoryQuery } from './query.ts'
import { DEFAULT_HISTORY_LIMITS, readHistory, type HistoryLimits, type HistoryPage } from './read-history.ts'
import { sendIfGone } from './send-gone.ts'

export interface HistoryDeps {
  readonly log: EventLog
  readonly limits?: Partial<HistoryLimits>
  readonly filterLimits?: FilterLimits
  readonly cloudEvents?: CloudEventOptions
}

const JSON_TYPE = 'application/json'

/**
 * `GET /v1/events/history` and `GET /v1/events/{id}`: what the stream has shown, for those who may see it.
 *
 * Source: event-stream.md R25, R31, R36.
 */
export function historyRoutes(app: HttpApp, deps: HistoryDeps): void {
  const limits = { ...DEFAULT_HISTORY_LIMITS, ...deps.limits }
  const cloudEvent = (event: Parameters<typeof formatCloudEvent>[0]): string =>
    formatCloudEvent(event, deps.cloudEvents)

  app.get('/v1/events/history', async (request, reply) => {
    const query = parseHistoryQuery(parseTarget(request.url).query, deps.filterLimits)
    const batch = bestOffer(request.headers.accept, [JSON_TYPE, CLOUDEVENT_BATCH_TYPE]) === CLOUDEVENT_BATCH_TYPE
    const format = batch || query.format === 'cloudevents' ? cloudEvent : eventJson
    const scope = scopeOf(requestContextOf(request))
    try {
      const page = await readHistory(deps.log, { query, scope, format, limits, signal: goneSignal(reply) })
      return await (batch ? sendBatch(request, reply, page, query) : sendPage(reply, page))
    } catch (error) {
      return await sendIfGone(error, request, reply)
    }
  })

  app.get<{ Params: { id: string } }>('/v1/events/:id', async (request, reply) => {
    const { id } = request.params
    const event = await deps.log.find(id)
    // Whoever may not see an event is not told that it exists.
    if (event === null || !inScope(scopeOf(requestContextOf(request)), event)) {
      throw new NotFoundError(`There is no event ${id}, or it is no longer kept.`)
    }
    const wanted = bestOffer(request.headers.accept, [JSON_TYPE, CLOUDEVENT_TYPE])
    const asked = parseTarget(request.url).query.get('format')
    if (asked === 'cloudevents' || wanted === CLOUDEVENT_TYPE) {
      return await reply.type(CLOUDEVENT_TYPE).send(cloudEvent(event))
    }
    return await reply.type(JSON_TYPE).send(eventJson(event))
  })
}

/** The answer as text, because most of it is text already. */
async function sendPage(reply: FastifyReply, { texts, nextCursor, extent }: HistoryPage): Promise<FastifyReply> {
  const { oldest, head, epoch } = extent
  const rest = toJson({ next_cursor: nextCursor, oldest, head, epoch }).slice(1)
  return await reply.type(JSON_TYPE).send(`{"events":[${texts.join(',')}],${rest}`)
}

/** A batch has no room for anything but events, so where to go on is told in the header `Link`. */
async function sendBatch(
  request: FastifyRequest,
  reply: FastifyReply,
  { texts, nextCursor }: HistoryPage,
  { order }: HistoryQuery,
): Promise<FastifyReply> {
  if (nextCursor !== null) {
    const { rawPath, query } = parseTarget(request.url)
    query.set(order === 'asc' ? 'since' : 'until', nextCursor)
    void reply.header('Link', `<${rawPath}?${query.toString()}>; rel="next"`)
  }
  return await reply.type(CLOUDEVENT_BATCH_TYPE).send(cloudEventBatch(texts))
}
