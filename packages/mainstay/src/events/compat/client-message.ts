import { InvalidInputError, errorMessage } from '../../core/errors.ts'
import { isJsonObject, parseJson, type Json } from '../../core/json.ts'
import type { ControlFrame } from '../hub/control-frame.ts'

/** The three lists of a `set_filters` message as they were sent; null where one was absent. Nothing is checked yet. */
export type FilterLists = {
  readonly event_filters: Json
  readonly node_filters: Json
  readonly service_filters: Json
}

export type ClientErrorCode = 'bad_json' | 'bad_message' | 'unknown_action' | 'bad_filter' | 'failed'

export type ClientMessage =
  | { readonly kind: 'set_filters'; readonly lists: FilterLists }
  | { readonly kind: 'unusable'; readonly code: ClientErrorCode; readonly detail: string }

/**
 * What a client of the compatible endpoint says. Never throws.
 *
 * Source: event-stream.md section 6.
 */
export function readClientMessage(text: string): ClientMessage {
  let message: Json
  try {
    message = parseJson(text, 'the message')
  } catch (error) {
    if (!(error instanceof InvalidInputError)) throw error
    return { kind: 'unusable', code: 'bad_json', detail: errorMessage(error) }
  }
  if (!isJsonObject(message)) {
    return { kind: 'unusable', code: 'bad_message', detail: 'a message is an object with an action' }
  }
  if (message['action'] !== 'set_filters') {
    return { kind: 'unusable', code: 'unknown_action', detail: 'the only action is set_filters' }
  }
  const list = (name: keyof FilterLists): Json => message[name] ?? null
  return {
    kind: 'set_filters',
    lists: {
      event_filters: list('event_filters'),
      node_filters: list('node_filters'),
      service_filters: list('service_filters'),
    },
  }
}

/** What a client is told in answer. */
export type ClientReply = Extract<ControlFrame, { readonly type: 'filter_update' | 'error' }>

/** The answer to a filter that holds now: it echoes what the message said, not the filter. */
export function filterUpdateReply(lists: FilterLists): ClientReply {
  return { type: 'filter_update', status: 'success', ...lists }
}

/** The answer to what could not be used. Clients of the reference skip it, since it has no event type. */
export function errorReply(code: ClientErrorCode, detail: string): ClientReply {
  return { type: 'error', code, message: detail }
}
