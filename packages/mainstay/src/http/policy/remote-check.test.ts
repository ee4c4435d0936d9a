import { createServer, type Server } from 'node:http'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import { requestContext } from '../../core/context.ts'
import { silentLogger } from '../../core/logging.ts'
import { Policy } from './policy.ts'

const caller = requestContext({ requestId: 'r', timestampMs: 0, userId: 'u1', projectId: 'p1', roles: ['member'] })
const asked: { path: string; form: URLSearchParams }[] = []
const clock = new ManualClock()
let answer: { status: number; body: string } | null
let directory: string
let server: Server
let port: number

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mainstay-policy-'))
  asked.length = 0
  answer = { status: 200, body: 'True' }
  server = createServer((request, response) => {
    let body = ''
    request.on('data', (bytes: Buffer) => (body += bytes.toString()))
    request.on('end', () => {
      asked.push({ path: request.url ?? '', form: new URLSearchParams(body) })
      if (answer !== null) response.writeHead(answer.status).end(answer.body)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  port = typeof address === 'object' && address !== null ? address.port : 0
})

afterEach(async () => {
  server.closeAllConnections()
  await new Promise<void>((resolve) => server.close(() => resolve()))
  await rm(directory, { recursive: true })
})

async function policyOf(rule: string): Promise<Policy> {
  const file = join(directory, 'policy.yaml')
  await writeFile(file, `"segments:index": "${rule}"\n`)
  const paths = { file, directories: [] }
  return new Policy({
    clock,
    logger: silentLogger(),
    defaults: { 'segments:index': '!' },
    paths,
    remoteTimeoutMs: 1000,
  })
}

describe('rules that ask another server (ha-api 4.3)', () => {
  test('it is asked with rule, target and caller, at the address that the target fills in', async () => {
    const policy = await policyOf(`http://127.0.0.1:${port}/check/%(project_id)s`)
    expect(await policy.authorize('segments:index', caller)).toBe(true)
    expect(asked.map(({ path }) => path)).toEqual(['/check/p1'])
    const { form } = asked[0]!
    expect(form.get('rule')).toBe('"segments:index"')
    expect(JSON.parse(form.get('target') ?? '')).toEqual({ project_id: 'p1', user_id: 'u1' })
    expect(JSON.parse(form.get('credentials') ?? '')).toMatchObject({ user_id: 'u1', roles: ['member'] })
  })

  test.each([
    [200, '"True"', true],
    [200, 'False', false],
    [200, 'true', false],
    [200, '', false],
    [500, 'True', false],
    [302, 'True', false],
  ])('an answer of %i with %j lets it pass: %s', async (status, body, passes) => {
    answer = { status, body }
    const policy = await policyOf(`http://127.0.0.1:${port}/check`)
    expect(await policy.authorize('segments:index', caller)).toBe(passes)
  })

  test('it is asked only where the verdict depends on it', async () => {
    const url = `http://127.0.0.1:${port}/check`
    const member = await policyOf(`role:member or ${url}`)
    expect(member.authorize('segments:index', caller)).toBe(true)
    const nobody = await policyOf(`role:nobody and ${url}`)
    expect(nobody.authorize('segments:index', caller)).toBe(false)
    const unknown = await policyOf(`${url}/%(nonsense)s`)
    expect(unknown.authorize('segments:index', caller)).toBe(false)
    expect(asked).toEqual([])
    const both = await policyOf(`${url}/a and not ${url}/b`)
    expect(await both.authorize('segments:index', caller)).toBe(false)
    expect(asked.map(({ path }) => path)).toEqual(['/check/a', '/check/b'])
  })

  test('one that answers nothing in time, or is away, refuses', async () => {
    answer = null
    const silent = await policyOf(`http://127.0.0.1:${port}/check`)
    const verdict = silent.authorize('segments:index', caller)
    await expect.poll(() => asked.length).toBe(1)
    await clock.advance(1001)
    expect(await verdict).toBe(false)
    const away = await policyOf('http://127.0.0.1:1/check')
    expect(await away.authorize('segments:index', caller)).toBe(false)
  })

  test('files are read again at once when that is asked for', async () => {
    const policy = await policyOf('!')
    expect(policy.authorize('segments:index', caller)).toBe(false)
    await writeFile(join(directory, 'policy.yaml'), '"segments:index": "@"')
    policy.reload()
    expect(policy.authorize('segments:index', caller)).toBe(true)
  })
})
