import { describe, expect, test } from 'vitest'

import { requestContext } from '../../core/context.ts'
import { parseJson } from '../../core/json.ts'
import { ConflictError } from '../../http/errors.ts'
import type { HaEvent } from '../events.ts'
import type { Segment } from '../records/segment.ts'
import { envelope, osloMessage } from './envelope.ts'

const FACTS = { id: 'm1', publisherId: 'masakari-api:node', nowMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678) }
const SEGMENT: Segment = {
  id: 1,
  uuid: 'seg',
  name: 's1',
  serviceType: 'COMPUTE',
  enabled: true,
  description: null,
  recoveryMethod: 'auto',
  createdAt: Date.UTC(2026, 0, 1),
  updatedAt: null,
}

function created(phase: HaEvent['phase'], segment: Partial<Segment>, fault: unknown = null): HaEvent {
  return { resource: 'segment', action: 'create', phase, subject: { resource: 'segment', segment }, fault }
}

describe('versioned notifications (ha-api 18)', () => {
  test('the start of a creation lacks what is not known yet', () => {
    const { id: _id, uuid: _uuid, createdAt: _created, updatedAt: _updated, ...known } = SEGMENT
    expect(envelope(created('start', known), FACTS)).toEqual({
      message_id: 'm1',
      publisher_id: 'masakari-api:node',
      event_type: 'segment.create.start',
      priority: 'INFO',
      timestamp: '2026-01-02 03:04:05.678000',
      payload: {
        'masakari_object.name': 'SegmentApiPayload',
        'masakari_object.namespace': 'masakari',
        'masakari_object.version': '1.1',
        'masakari_object.data': {
          name: 's1',
          service_type: 'COMPUTE',
          description: null,
          recovery_method: 'auto',
          enabled: true,
          fault: null,
        },
      },
    })
  })

  test('an error carries what was thrown', () => {
    const message = envelope(created('error', SEGMENT, new ConflictError('taken')), FACTS)
    expect(message).toMatchObject({
      event_type: 'segment.create.error',
      priority: 'ERROR',
      payload: {
        'masakari_object.data': {
          uuid: 'seg',
          fault: {
            'masakari_object.name': 'ExceptionPayload',
            'masakari_object.data': { exception: 'ConflictError', exception_message: 'taken', module_name: 'unknown' },
          },
        },
      },
    })
  })

  test('a host carries its segment, with dates in whole seconds', () => {
    const subject = { resource: 'host', host: { name: 'h', reserved: true }, segment: SEGMENT } as const
    const message = envelope({ resource: 'host', action: 'update', phase: 'end', subject, fault: null }, FACTS)
    expect(message).toMatchObject({
      payload: {
        'masakari_object.name': 'HostApiPayload',
        'masakari_object.data': {
          name: 'h',
          reserved: true,
          failover_segment: {
            'masakari_object.name': 'FailoverSegment',
            'masakari_object.data': { uuid: 'seg', created_at: '2026-01-01T00:00:00Z', deleted: false },
          },
        },
      },
    })
  })

  test('the failure of processing names no class', () => {
    const subject = { resource: 'notification', notification: { uuid: 'n', generatedTime: 0 } } as const
    const event: HaEvent = {
      resource: 'notification',
      action: 'process',
      phase: 'error',
      subject,
      fault: new Error('x'),
    }
    expect(envelope(event, FACTS)).toMatchObject({
      payload: {
        'masakari_object.data': {
          generated_time: '1970-01-01T00:00:00Z',
          fault: { 'masakari_object.data': { exception: 'str' } },
        },
      },
    })
  })

  test('on the wire it is text in an object, with the context beside it', () => {
    const context = requestContext({ requestId: 'req-1', timestampMs: 0, userId: 'u' })
    const body = parseJson(osloMessage({ event_type: 'x' }, context, 'a-b'), 'the message') as Record<string, string>
    expect(body['oslo.version']).toBe('2.0')
    expect(parseJson(body['oslo.message']!, 'inside')).toMatchObject({
      event_type: 'x',
      _context_request_id: 'req-1',
      _context_user_id: 'u',
      _context_read_deleted: 'no',
      _unique_id: 'ab',
    })
  })
})
