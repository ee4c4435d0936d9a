import { compatFormat } from '../format/compat.ts'
import type { Format } from '../format/format.ts'
import { parseFilter, type FilterLimits } from '../filter/index.ts'
import type { Conversation, DialectChoice, EndpointOptions, Hearing } from '../websocket/endpoint.ts'
import { frameDialect } from '../websocket/frame-dialect.ts'
import { hearClient } from './client-dialogue.ts'
import { filterLists, type FilterChanges } from './filter-lists.ts'

export const COMPAT_PATH = '/v1/events/openstack'

export interface CompatEndpointOptions {
  readonly filter: FilterLimits
  /** What heartbeats give as their source. */
  readonly heartbeatSource?: string
  /** What clients hear who offer a subprotocol. */
  readonly protocols?: Readonly<Record<string, Format>>
}

/**
 * The endpoint that clients of the reference know, served from the hub like every other: the same places in the log, the
 * same filters, the same care for slow clients. Only what it says and hears is that of the reference.
 *
 * Source: event-stream.md section 6.
 */
export function compatEndpoint({ filter, protocols = {}, ...format }: CompatEndpointOptions): EndpointOptions {
  return {
    path: COMPAT_PATH,
    plain: dialectsOf(compatFormat(format)),
    protocols: Object.fromEntries(Object.entries(protocols).map(([name, other]) => [name, dialectsOf(other)])),
    obeyQuery: true,
    converse: (conversation, query) => compatConversation(conversation, query, filter),
  }
}

function compatConversation(conversation: Conversation, query: URLSearchParams, limits: FilterLimits): Hearing {
  const { connection, subscriber, logger } = conversation
  const dialogue = {
    updateFilters: (changes: FilterChanges) => {
      const base = subscriber.subscription.filter
      subscriber.changeFilter(parseFilter(filterLists(changes), { base, limits }))
    },
    reply: subscriber.say.bind(subscriber),
    close: connection.close.bind(connection),
    logger,
    tellErrors: query.get('errors') === '1' || subscriber.subscription.dialect.format !== 'compat',
  }
  return (text) => {
    if (!connection.isOpen) return
    hearClient(dialogue, text).catch((error: unknown) => {
      logger.error({ err: error }, 'A message of a stream client could not be handled')
      connection.terminate()
    })
  }
}

function dialectsOf(format: Format): DialectChoice {
  return { plain: frameDialect(format), compressed: frameDialect(format, { compression: true }) }
}
