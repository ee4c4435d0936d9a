import { describe, expect, test } from 'vitest'

import { isJsonObject, parseJson, type Json, type JsonObject } from '../../core/json.ts'
import { createLogger } from '../../core/logging.ts'
import { LogLines } from '../compat/testing/log-lines.ts'
import { RecordingClock } from '../compat/testing/recording-clock.ts'
import { NotificationForwarder, type HttpClient } from './notification-forwarder.ts'
import { notification } from './testing/notification.ts'
import { fakeBaremetal, PAYLOAD, POWERED } from './testing/fake-inventory.ts'
import { intakeStage, type IntakeStage } from './testing/intake-stage.ts'

/** Answers as it is told, 204 otherwise. */
class FakeHttp implements HttpClient {
  readonly posts: { url: string; body: Json; timeoutMs: number }[] = []
  readonly answers: (number | Error)[]

  constructor(...answers: (number | Error)[]) {
    this.answers = answers
  }

  async post(url: string, request: { body: string; timeoutMs: number }): Promise<{ status: number }> {
    this.posts.push({ url, body: parseJson(request.body, 'a body'), timeoutMs: request.timeoutMs })
    const answer = this.answers.shift() ?? 204
    if (answer instanceof Error) throw answer
    return { status: answer }
  }
}

describe('an API is told (event-stream 8.5)', () => {
  function forwarding(...answers: (number | Error)[]): IntakeStage & { http: FakeHttp; waits: RecordingClock } {
    const [http, log, waits] = [new FakeHttp(...answers), new LogLines(), new RecordingClock()]
    const forwarder = new NotificationForwarder({ apiUrl: 'http://api:8000/', http, clock: waits, logger: log.logger })
    return { ...intakeStage({ forwarder }), http, log, waits }
  }

  const refused = (): Error => new Error('connection refused')
  const late = (): Error => new Error('timed out')

  test('E-171 the six members are posted, with 5 s for the answer', async () => {
    const { take, http, waits } = forwarding()
    await take({ _context_auth_token: 'gAAAA', payload: PAYLOAD })
    expect(http.posts).toEqual([
      {
        url: 'http://api:8000/notifications/baremetal',
        body: notification({ payload: PAYLOAD }),
        timeoutMs: 5000,
      },
    ])
    expect(Object.keys(http.posts[0]!.body as JsonObject)).toEqual([
      'priority',
      'event_type',
      'timestamp',
      'publisher_id',
      'message_id',
      'payload',
    ])
    expect(waits.sleeps).toEqual([])
  })

  test('E-172 only changes of machines are', async () => {
    const { take, http } = forwarding()
    await take({ event_type: 'instance.create.end' })
    expect(http.posts).toEqual([])
  })

  test.each<[string, (number | Error)[], number, number[], boolean]>([
    ['E-173 one refused connection', [refused()], 2, [3000], false],
    ['E-174 three refused connections', [refused(), refused(), refused()], 3, [3000, 9000], true],
    ['E-175 three time-outs', [late(), late(), late()], 3, [3000, 9000], true],
    ['E-176 a 404', [404], 1, [], true],
    ['E-177 a 500', [500], 2, [3000], false],
    ['E-178 three 503', [503, 503, 503], 3, [3000, 9000], true],
    ['E-179 a 200', [200], 1, [], false],
    ['a 408 and a 429', [408, 429], 3, [3000, 9000], false],
    ['a redirect', [302], 1, [], true],
  ])('%s', async (_what, answers, posts, sleeps, lost) => {
    const { take, http, waits, log } = forwarding(...answers)
    await take({ payload: PAYLOAD })
    expect(http.posts).toHaveLength(posts)
    expect(waits.sleeps).toEqual(sleeps)
    expect(log.at('error').some((line) => line.includes('was not taken by'))).toBe(lost)
  })

  test('E-174 what was lost is in the log as a whole', async () => {
    const written: string[] = []
    const logger = createLogger({
      level: 'error',
      format: 'json',
      destination: { write: (line) => void written.push(line) },
    })
    const clock = new RecordingClock()
    const http = new FakeHttp(404)
    const forwarder = new NotificationForwarder({ apiUrl: 'http://api', http, clock, logger })
    const { take } = intakeStage({ forwarder })
    await take({ payload: PAYLOAD })
    const line = parseJson(written[0]!, 'a log line')
    expect(isJsonObject(line) && line['notification']).toEqual(notification({ payload: PAYLOAD }))
  })

  test('the inventory is told as well', async () => {
    const { events, tasks } = fakeBaremetal()
    const http = new FakeHttp()
    const forwarder = new NotificationForwarder({
      apiUrl: 'http://api',
      http,
      clock: new RecordingClock(),
      logger: new LogLines().logger,
    })
    const { take } = intakeStage({ forwarder, baremetal: events })
    await take({ payload: PAYLOAD })
    expect([http.posts.length, tasks.calls]).toEqual([1, POWERED])
  })

  test('stopping ends the wait for the next try', async () => {
    const [log, waits] = [new LogLines(), new RecordingClock()]
    const http: HttpClient = {
      post: async () => {
        intake.stop(new Error('stopping'))
        throw refused()
      },
    }
    const forwarder = new NotificationForwarder({ apiUrl: 'http://api', http, clock: waits, logger: log.logger })
    const { intake, take } = intakeStage({ forwarder })
    await take()
    expect(waits.sleeps).toEqual([])
    expect(log.at('error')).toEqual([])
  })
})
