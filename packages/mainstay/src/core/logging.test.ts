import { describe, expect, test } from 'vitest'

import { requestContext, runInContext } from './context.ts'
import { isJsonObject, parseJson, type JsonObject } from './json.ts'
import { createLogger, maskUrl, silentLogger, type Logger } from './logging.ts'

const SECRET = 'hunter2-5f1c'

function capture(): { logger: Logger; text: () => string; lines: () => JsonObject[] } {
  const written: string[] = []
  const logger = createLogger({
    level: 'trace',
    format: 'json',
    destination: { write: (line) => void written.push(line) },
  })
  const lines = (): JsonObject[] => written.map((line) => parseJson(line, 'a log line')).filter(isJsonObject)
  return { logger, text: () => written.join(''), lines }
}

describe('no secret reaches the log (ha-api 20.5)', () => {
  test.each<[string, object]>([
    ['at the top', { password: SECRET }],
    ['one level down', { auth: { token: SECRET } }],
    ['five levels down', { a: { b: { c: { d: { authToken: SECRET } } } } }],
    ['in a list', { requests: [{ headers: { 'x-auth-token': SECRET } }] }],
    ['whatever the case and separators', { headers: { 'X-Subject-Token': SECRET, AUTHORIZATION: SECRET } }],
    ['at the end of a longer name', { os_admin_password: SECRET, webhookSecret: SECRET, 'ipmi-password': SECRET }],
    ['as a whole structure', { secret: { value: SECRET, parts: [SECRET] } }],
    ['in a database address', { connection: `mysql+pymysql://masakari:${SECRET}@db/masakari` }],
    ['in the password of a URL in any member', { url: `https://admin:${SECRET}@bmc-7.example/redfish` }],
    ['in the query of a URL', { url: `https://example.test/hook?id=1&token=${SECRET}&x=2` }],
    ['in a list of hosts as oslo.messaging writes it', { url: `rabbit://u:${SECRET}@h1:5672,u:${SECRET}@h2:5672/v` }],
    ['in the message of an error', { err: new Error(`connect failed: postgres://m:${SECRET}@db:5432/m`) }],
    ['in a member of an error', { err: Object.assign(new Error('refused'), { options: { password: SECRET } }) }],
    ['in the cause of an error', { err: new Error('out', { cause: new Error(`redis://:${SECRET}@r:6379`) }) }],
    ['in an error under another name', { failure: Object.assign(new Error('x'), { request: { token: SECRET } }) }],
    ['in something that writes itself', { request: { toJSON: () => ({ authToken: SECRET }) } }],
  ])('%s', (_where, members) => {
    const { logger, text } = capture()
    logger.info(members, 'a line')
    expect(text()).toContain('***')
    expect(text()).not.toContain(SECRET)
  })

  test('in the text of a line', () => {
    const { logger, text } = capture()
    logger.warn(`lost postgres://mainstay:${SECRET}@db/mainstay`)
    logger.warn('lost %s', `amqp://mainstay:${SECRET}@mq`)
    expect(text()).not.toContain(SECRET)
    expect(text()).toContain('postgres://mainstay:***@db/mainstay')
  })

  test('in the members of a child logger', () => {
    const { logger, text } = capture()
    logger
      .child({ session: { token: SECRET } })
      .child({ password: SECRET })
      .info('hello')
    expect(text()).toContain('"password":"***"')
    expect(text()).not.toContain(SECRET)
  })

  test('and what is no secret stays as it is', () => {
    const { logger, lines } = capture()
    logger.info({ token: null, secret: false, host: 'host-1', at: new Date(0), list: [1, { a: 'b' }] }, 'fine')
    expect(lines()).toMatchObject([
      { token: null, secret: false, host: 'host-1', at: '1970-01-01T00:00:00.000Z', list: [1, { a: 'b' }] },
    ])
  })

  test('a structure that contains itself is cut off', () => {
    const { logger, lines } = capture()
    const circle: Record<string, unknown> = { password: SECRET }
    circle['self'] = circle
    logger.info({ circle }, 'round')
    expect(lines()).toHaveLength(1)
  })
})

describe('a log line', () => {
  test('carries the request and user of the context it is written in', () => {
    const { logger, lines } = capture()
    const context = requestContext({ requestId: 'req-1', timestampMs: 0, userId: 'ada', authToken: SECRET })
    runInContext(context, () => logger.info('inside'))
    logger.info('outside')
    expect(lines()[0]).toMatchObject({ requestId: 'req-1', userId: 'ada', msg: 'inside' })
    expect(lines()[0]).not.toHaveProperty('projectId')
    expect(lines()[1]).not.toHaveProperty('requestId')
  })

  test('shows an error with its class, code, stack and cause', () => {
    const { logger, lines } = capture()
    const error = Object.assign(new TypeError('outer', { cause: new Error('inner') }), { code: 'EX' })
    logger.error({ err: error }, 'failed')
    expect(lines()[0]).toMatchObject({ err: { type: 'TypeError', code: 'EX', message: 'outer: inner' } })
    expect(lines()[0]?.['err']).toHaveProperty('stack', expect.stringContaining('logging.test.ts'))
  })

  test('is written only from its level on', () => {
    const { logger, lines } = capture()
    logger.level = 'warn'
    logger.info('quiet')
    expect(lines()).toEqual([])
  })
})

test('the silent logger writes nothing', () => {
  expect(silentLogger().isLevelEnabled('error')).toBe(false)
})

test.each([
  ['postgres://u:p@h/db', 'postgres://u:***@h/db'],
  ['postgres://u:p@/db?host=/run/pg', 'postgres://u:***@/db?host=/run/pg'],
  ['redis://:p@h:6379/0', 'redis://:***@h:6379/0'],
  ['postgres://u:a/b:c@h/db', 'postgres://u:***@h/db'],
  ['postgres://u@h/db?password=p&sslmode=require', 'postgres://u@h/db?password=***&sslmode=require'],
  ['http://127.0.0.1:5000/v3', 'http://127.0.0.1:5000/v3'],
  ['mail ops@example.test about http://h:80/x', 'mail ops@example.test about http://h:80/x'],
  ['no address at all', 'no address at all'],
])('%s is shown as %s', (text, shown) => {
  expect(maskUrl(text)).toBe(shown)
})
