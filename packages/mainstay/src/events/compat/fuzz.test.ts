import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'

import { isJsonObject, parseJson, toJson } from '../../core/json.ts'
import { DEFAULT_FILTER_LIMITS } from '../filter/index.ts'
import { hearClient } from './client-dialogue.ts'
import { readClientMessage, type ClientReply } from './client-message.ts'
import { Connection } from './connection.ts'
import { EventMessage } from './event-message.ts'
import { notificationMessage } from './notification-message.ts'
import { LogLines } from './testing/log-lines.ts'

/** Whatever a client says: it is answered or ignored, its filters stay within their limits, and nothing is thrown. */

const list = fc.oneof(
  fc.constant(null),
  fc.array(fc.oneof(fc.string({ maxLength: 300 }), fc.constantFrom('baremetal.**', '!a.*', '*', '?', 'a.b')), {
    maxLength: 80,
  }),
  fc.jsonValue(),
)
const message = fc.oneof(
  fc.string(),
  fc.json(),
  fc
    .record(
      {
        action: fc.oneof({ weight: 5, arbitrary: fc.constant('set_filters') }, fc.jsonValue()),
        event_filters: list,
        node_filters: list,
        service_filters: list,
      },
      { requiredKeys: [] },
    )
    .map(toJson),
)

describe('fuzz: messages of clients', () => {
  test('no message does harm', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(message, { maxLength: 12 }), fc.boolean(), async (texts, tellErrors) => {
        const connection = new Connection()
        const replies: ClientReply[] = []
        const dialogue = {
          updateFilters: connection.update.bind(connection),
          reply: (reply: ClientReply) => void replies.push(reply),
          close: () => expect.unreachable(),
          logger: new LogLines().logger,
          tellErrors,
        }
        for (const text of texts) {
          const before = { ...lists(connection) }
          const answered = replies.length
          await hearClient(dialogue, text)
          expect(replies.length - answered).toBeLessThanOrEqual(1)
          const refused = replies.at(-1)?.type !== 'filter_update' || replies.length === answered
          expect(refused ? lists(connection) : before).toEqual(before)
        }
        const { textsPerList, textLength } = DEFAULT_FILTER_LIMITS
        for (const filters of Object.values(lists(connection))) {
          expect(filters.length).toBeLessThanOrEqual(textsPerList)
          for (const text of filters) expect(text.length).toBeLessThanOrEqual(textLength)
        }
        expect(typeof connection.matches(new EventMessage('a.b', 's', {}))).toBe('boolean')
      }),
      { numRuns: 500 },
    )
  })

  test('an acknowledgement echoes exactly what was said', () => {
    fc.assert(
      fc.property(message, (text) => {
        const read = readClientMessage(text)
        const said = read.kind === 'set_filters' ? parseJson(text, 'the message') : null
        expect(read.kind === 'unusable' ? ['bad_json', 'bad_message', 'unknown_action'] : [undefined]).toContain(
          read.kind === 'unusable' ? read.code : undefined,
        )
        if (read.kind !== 'set_filters' || !isJsonObject(said)) return
        const { event_filters = null, node_filters = null, service_filters = null } = said
        expect(read.lists).toEqual({ event_filters, node_filters, service_filters })
      }),
    )
  })

  test('a notification of any form is an event or an error, and never changed', () => {
    fc.assert(
      fc.property(fc.string(), fc.anything(), (type, payload) => {
        const before = structuredCloneOr(payload)
        expect(['six members', 'TypeError']).toContain(outcome(type, payload))
        expect(structuredCloneOr(payload)).toEqual(before)
      }),
      { numRuns: 500 },
    )
  })
})

function lists({ eventFilters, nodeFilters, serviceFilters }: Connection): Record<string, readonly string[]> {
  return { eventFilters, nodeFilters, serviceFilters }
}

function outcome(type: string, payload: unknown): string {
  try {
    return Object.keys(notificationMessage(type, payload).toDict()).length === 6 ? 'six members' : 'others'
  } catch (error) {
    return error instanceof Error ? error.name : 'something that is no error'
  }
}

/** A copy, or what cannot be copied itself. */
function structuredCloneOr(value: unknown): unknown {
  try {
    return structuredClone(value)
  } catch {
    // A symbol or a function inside: there is nothing to compare.
    return undefined
  }
}
