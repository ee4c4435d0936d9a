import { MainstayError, errorMessage } from '../../core/errors.ts'
import { isJsonObject, parseJson, toJson, type Json, type JsonObject } from '../../core/json.ts'
import { textOf } from './first-text.ts'

/** A notification of oslo.messaging. What the sender left out is null. */
export interface OsloNotification {
  /** Empty when the sender gave none. */
  readonly eventType: string
  /** As sent, usually upper case: `INFO`. */
  readonly priority: string | null
  readonly timestamp: string | null
  readonly publisherId: string | null
  readonly messageId: string | null
  readonly payload: JsonObject
  /** The project that the request worked in which led to it. */
  readonly requestProjectId: string | null
  readonly requestId: string | null
}

/** A message of the broker is no notification that can be kept; it is counted, and never asked for again. */
export class UnreadableNotificationError extends MainstayError {
  readonly code = 'MS_NOTIFICATION_UNREADABLE'
  readonly status = 422
  readonly retryable = false
  readonly reason: 'too large' | 'not decodable'

  constructor(reason: 'too large' | 'not decodable', detail: string, options?: { cause?: unknown }) {
    super(`A notification is ${reason}: ${detail}. It is not in the stream; look at its sender.`, options)
    this.reason = reason
  }
}

export interface ReadLimits {
  readonly maxBytes: number
  /** How deep objects and lists may stand in each other. */
  readonly maxDepth: number
}

/** Source: event-stream.md 8.6; the depth is what keeps every reader of the event from running out of stack. */
export const DEFAULT_READ_LIMITS: ReadLimits = { maxBytes: 1024 * 1024, maxDepth: 100 }

/**
 * Reads the body of a broker message: format 2.0 with its envelope, or format 1.0, where the body is the notification
 * itself. Of the request's context only project and request id are kept: the rest may hold tokens.
 *
 * Source: event-stream.md 8.3, 8.6.
 *
 * @param body bytes or text, or what a client library has already taken apart
 * @throws UnreadableNotificationError
 */
export function readNotification(body: unknown, limits: ReadLimits = DEFAULT_READ_LIMITS): OsloNotification {
  const outer = asObject(decode(body, limits), 'its body')
  const inner = outer['oslo.message']
  const message = typeof inner === 'string' ? asObject(parse(inner, 'oslo.message'), 'oslo.message') : outer
  if (!['event_type', 'payload', 'message_id'].some((name) => Object.hasOwn(message, name))) {
    throw new UnreadableNotificationError('not decodable', 'it has neither event_type nor payload nor message_id')
  }
  checkDepth(message, limits.maxDepth)
  return {
    eventType: typeof message['event_type'] === 'string' ? message['event_type'] : '',
    priority: textOf(message['priority']),
    timestamp: textOf(message['timestamp']),
    publisherId: textOf(message['publisher_id']),
    messageId: textOf(message['message_id']),
    payload: payloadOf(message['payload']),
    requestProjectId: contextText(message, ['project_id', 'project', 'tenant']),
    requestId: contextText(message, ['request_id', 'global_request_id']),
  }
}

/** The six members that other programs are told, under their names on the wire. Source: event-stream.md 8.5. */
export function notificationMembers(notification: OsloNotification): JsonObject {
  return {
    priority: notification.priority,
    event_type: notification.eventType,
    timestamp: notification.timestamp,
    publisher_id: notification.publisherId,
    message_id: notification.messageId,
    payload: notification.payload,
  }
}

function decode(body: unknown, { maxBytes }: ReadLimits): Json {
  const text = Buffer.isBuffer(body) || typeof body === 'string' ? body : toJson(body)
  const bytes = Buffer.byteLength(text)
  if (bytes > maxBytes) {
    throw new UnreadableNotificationError('too large', `${bytes} bytes, ${maxBytes} are allowed`)
  }
  return parse(String(text), 'its body')
}

function parse(text: string, what: string): Json {
  try {
    return parseJson(text, what)
  } catch (error) {
    throw new UnreadableNotificationError('not decodable', errorMessage(error).slice(0, 200), { cause: error })
  }
}

function asObject(value: Json, what: string): JsonObject {
  if (!isJsonObject(value)) throw new UnreadableNotificationError('not decodable', `${what} is not an object`)
  return value
}

/** A payload of another kind than an object is rare, and kept under a name of its own. */
function payloadOf(payload: Json | undefined): JsonObject {
  if (payload === undefined || payload === null) return {}
  if (!isJsonObject(payload)) return { payload }
  return Object.fromEntries(Object.entries(payload).filter(([name]) => !name.startsWith('_context_')))
}

function contextText(message: JsonObject, names: readonly string[]): string | null {
  for (const name of names) {
    const text = textOf(message[`_context_${name}`])
    if (text !== null) return text
  }
  return null
}

function checkDepth(message: JsonObject, maxDepth: number): void {
  let level: readonly object[] = [message]
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > maxDepth) {
      throw new UnreadableNotificationError('not decodable', `it is nested more than ${maxDepth} deep`)
    }
    level = level.flatMap((each) => Object.values(each).filter((value) => typeof value === 'object' && value !== null))
  }
}
