import { errorMessage } from '../../core/errors.ts'
import { isJsonObject, parseJson, type Json, type JsonObject } from '../../core/json.ts'
import { BadRequestError } from '../../http/errors.ts'
import { InvalidFilterError, parseFilter, type EventFilter, type FilterLimits } from '../filter/index.ts'
import { parsePolicy, type SlowPolicy } from '../hub/flow.ts'
import { parseSince, type Since } from '../hub/since.ts'

/** Why a message could not be used. */
export type ComplaintCode = 'bad_json' | 'bad_message' | 'unknown_action' | 'bad_filter' | 'bad_token'

/** A message of a client of the native endpoint. Source: event-stream.md 11.3, R13, R16, R30. */
export type ClientMessage =
  | {
      readonly action: 'subscribe'
      readonly since: Since
      readonly sinceText: string
      readonly filter: EventFilter
      readonly policy: SlowPolicy | null
      readonly continueOnReset: boolean | null
    }
  | { readonly action: 'set_filters'; readonly filter: EventFilter; readonly said: JsonObject }
  | { readonly action: 'refresh'; readonly token: string }
  | { readonly action: 'complaint'; readonly code: ComplaintCode; readonly message: string }

/**
 * Reads a message. Never throws: what cannot be used becomes a complaint.
 *
 * @param present the filter that holds now; lists that `set_filters` leaves out stay as they are
 */
export function readClientMessage(
  text: string,
  { present, limits }: { present: EventFilter; limits: FilterLimits },
): ClientMessage {
  let value: Json
  try {
    value = parseJson(text, 'the message')
  } catch (error) {
    return complaint('bad_json', errorMessage(error))
  }
  if (!isJsonObject(value)) return complaint('bad_message', 'A message is an object with an "action".')
  try {
    return readAction(value, present, limits)
  } catch (error) {
    if (error instanceof InvalidFilterError) return complaint('bad_filter', error.message)
    if (error instanceof BadRequestError) return complaint('bad_message', error.message)
    throw error
  }
}

function readAction(value: JsonObject, present: EventFilter, limits: FilterLimits): ClientMessage {
  switch (value['action']) {
    case 'subscribe': {
      const sinceText = textOf(value, 'since') ?? 'latest'
      const policy = textOf(value, 'policy')
      const onReset = textOf(value, 'on_reset')
      return {
        action: 'subscribe',
        since: parseSince(sinceText),
        sinceText,
        filter: parseFilter(value['filters'] ?? {}, { limits }),
        policy: policy === null ? null : parsePolicy(policy),
        continueOnReset: onReset === null ? null : onReset === 'continue',
      }
    }
    case 'set_filters':
      return { action: 'set_filters', filter: parseFilter(value, { limits, base: present }), said: value }
    case 'refresh': {
      const token = textOf(value, 'token')
      return token === null ? complaint('bad_message', 'refresh needs a "token".') : { action: 'refresh', token }
    }
    default:
      return complaint('unknown_action', 'The actions are subscribe, set_filters and refresh.')
  }
}

/** @throws BadRequestError when a member is there and no text */
function textOf(value: JsonObject, name: string): string | null {
  const text = value[name] ?? null
  if (text === null || typeof text === 'string') return text
  throw new BadRequestError(`${name} must be a text.`)
}

function complaint(code: ComplaintCode, message: string): ClientMessage {
  return { action: 'complaint', code, message }
}
