import { errorMessage } from '../../core/errors.ts'
import type { JsonObject } from '../../core/json.ts'
import { formatZulu } from '../../core/timestamp.ts'
import type { Gate } from '../access/gate.ts'
import { EVERYTHING, type FilterLimits } from '../filter/index.ts'
import { CLOSE } from '../hub/control-frame.ts'
import { readClientMessage, type ClientMessage, type ComplaintCode } from './client-message.ts'
import type { Conversation, Hearing } from './endpoint.ts'

/** So many messages that cannot be used, and the client is told to stop. */
const MAX_COMPLAINTS = 5

/**
 * Does what clients of the native endpoint say. What it answers goes the same way as events, so that everything after
 * an answer obeys it.
 *
 * Source: event-stream.md 11.3, R13, R16, R30.
 */
export function nativeConversation(gate: Gate, limits: FilterLimits): (with_: Conversation) => Hearing {
  return (conversation) => {
    const { connection, subscriber } = conversation
    let heardBefore = false
    let complaints = 0
    const complain = (code: ComplaintCode, message: string): void => {
      complaints += 1
      subscriber.say({ type: 'error', code, message })
      if (complaints >= MAX_COMPLAINTS) subscriber.end(CLOSE.BAD_MESSAGE, 'Too many messages could not be used.')
    }
    return (text) => {
      if (text === null || !connection.isOpen) return
      const message = readClientMessage(text, { present: subscriber.subscription.filter, limits })
      const first = !heardBefore
      heardBefore = true
      if (message.action === 'complaint') return complain(message.code, message.message)
      if (message.action === 'refresh') return void refresh(gate, conversation, message.token, complain)
      if (message.action === 'set_filters') return setFilters(conversation, message)
      if (!first) return complain('bad_message', 'subscribe must be the first message.')
      subscribe(conversation, message)
    }
  }
}

function subscribe(
  { hub, subscriber, listener, remoteAddress, limits }: Conversation,
  message: Extract<ClientMessage, { action: 'subscribe' }>,
): void {
  const { subscription } = subscriber
  hub.resubscribe(subscriber, {
    since: message.since,
    limits,
    client: { name: listener.name, address: remoteAddress, since: message.sinceText },
    subscription: {
      ...subscription,
      filter: message.filter,
      policy: message.policy ?? subscription.policy,
      continueOnReset: message.continueOnReset ?? subscription.continueOnReset,
    },
  })
}

/** The bookmark after the answer is the boundary: what follows it has passed the new filter only. */
function setFilters({ subscriber }: Conversation, message: Extract<ClientMessage, { action: 'set_filters' }>): void {
  subscriber.changeFilter(message.filter)
  subscriber.say({ type: 'filter_update', status: 'success', ...echo(message.said) })
  subscriber.bookmark()
}

/** What was said of the filter; the three lists of the compatible endpoint always, null where they were not said. */
function echo(said: JsonObject): JsonObject {
  const names = Object.keys(EVERYTHING)
  return Object.fromEntries(
    names.filter((name) => name.endsWith('_filters') || name in said).map((name) => [name, said[name] ?? null]),
  )
}

async function refresh(
  gate: Gate,
  { subscriber, listener, remoteAddress }: Conversation,
  token: string,
  complain: (code: ComplaintCode, message: string) => void,
): Promise<void> {
  try {
    const { expiresAtMs, scope } = await gate.renew(listener.name, token, remoteAddress)
    subscriber.renew(expiresAtMs, scope)
    subscriber.say({ type: 'refreshed', expires_at: expiresAtMs === null ? null : formatZulu(expiresAtMs) })
  } catch (error) {
    complain('bad_token', errorMessage(error))
  }
}
