import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { Cluster } from '@mainstay/testkit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

import { SystemClock } from '../core/clock.ts'
import { SystemIds } from '../core/ids.ts'
import { Metrics } from '../core/metrics.ts'
import { createHttpApp, type HttpApp } from './app.ts'
import { listenOn, stopServing } from './listen.ts'

const clock = new SystemClock()
const LISTENING = `
  const { createServer } = await import('node:net')
  createServer().listen(process.argv[1])
`

let directory: string
let path: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mainstay-socket-'))
  path = join(directory, 'api.sock')
})

afterEach(async () => {
  await rm(directory, { recursive: true })
})

function app(): HttpApp {
  return createHttpApp({ clock, ids: new SystemIds(), metrics: new Metrics() })
}

describe('the file of a Unix socket that is there already', () => {
  test('is replaced when its process is gone', async () => {
    await using cluster = await Cluster.create({ name: 'abandoned' })
    const listener = cluster.add({
      name: 'listener',
      command: () => [process.execPath, '--input-type=module', '-e', LISTENING, path],
      ready: { unix: path },
      startTimeoutMs: 30_000,
    })
    await listener.start()
    await listener.kill()
    const server = app()
    expect(await listenOn(server, { path })).toBe(`unix:${path}`)
    await stopServing(server, { clock, timeoutMs: 1000 })
  })

  test('is left alone while somebody listens', async () => {
    const first = app()
    await listenOn(first, { path })
    const second = app()
    await expect(listenOn(second, { path })).rejects.toThrow(/something else listens there/)
    await stopServing(first, { clock, timeoutMs: 1000 })
    await second.close()
  })

  test('is left alone when it is another kind of file', async () => {
    await writeFile(path, 'precious')
    const server = app()
    await expect(listenOn(server, { path })).rejects.toThrow(/Cannot listen/)
    await server.close()
  })
})
