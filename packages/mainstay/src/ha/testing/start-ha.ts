import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { request as httpRequest, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http'

import { ManualClock, type Clock } from '../../core/clock.ts'
import type { MainstayEvent } from '../../core/event.ts'
import { SystemIds } from '../../core/ids.ts'
import { parseJson, toJson, type Json } from '../../core/json.ts'
import { silentLogger } from '../../core/logging.ts'
import { Metrics } from '../../core/metrics.ts'
import { createHttpApp, type HttpApp, type HttpAppOptions } from '../../http/app.ts'
import { SqliteStore, type Store } from '../../store/index.ts'
import { createHaApi, type HaApiDeps } from '../ha-api.ts'
import { defaultHaOptions, type HaOptions } from '../options.ts'
import type { Notification } from '../records/notification.ts'

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** Header names as they were written. */
  readonly rawHeaders: readonly string[]
  readonly text: string
  readonly json: Json
}

export interface SendOptions {
  readonly headers?: OutgoingHttpHeaders
  /** Sent as JSON. */
  readonly body?: unknown
  /** Sent as it is, instead of `body`. */
  readonly raw?: string | Buffer
  /** Sent piece by piece without announcing a length. */
  readonly chunks?: readonly string[]
  readonly version?: string
}

/** A real HA API on a loopback port, with a SQLite file that goes away with it. */
export interface RunningHa extends AsyncDisposable {
  readonly app: HttpApp
  readonly store: Store
  readonly clock: Clock
  readonly port: number
  /** What was told of attempts that failed. */
  readonly events: MainstayEvent[]
  readonly recoveries: Notification[]
  send(method: string, path: string, options?: SendOptions): Promise<Answer>
}

export interface StartHa {
  readonly options?: Partial<HaOptions>
  readonly deps?: Partial<HaApiDeps>
  readonly http?: HttpAppOptions
  readonly clock?: Clock
  /** A migrated store to use instead of a new one; it is left open. */
  readonly store?: Store
}

export async function startHa({
  options,
  deps,
  http,
  clock = new ManualClock(),
  store,
}: StartHa = {}): Promise<RunningHa> {
  await using cleanup = new AsyncDisposableStack()
  const used = store ?? (await temporaryStore(cleanup, clock))
  const events: MainstayEvent[] = []
  const recoveries: Notification[] = []
  const base = { clock, ids: new SystemIds(), logger: silentLogger() }
  const app = createHttpApp({ ...base, metrics: new Metrics() }, { ...http })
  await app.register(
    createHaApi({
      ...base,
      store: used,
      options: { ...defaultHaOptions, ...options },
      platform: { computeHostExists: async (name) => !name.startsWith('unknown') },
      startRecovery: async (_queries, notification) => {
        recoveries.push(notification)
        return () => undefined
      },
      readProgress: async () => [],
      publishFailure: { publish: (event) => void events.push(event) },
      ...deps,
    }),
  )
  await app.listen({ host: '127.0.0.1', port: 0 })
  cleanup.defer(async () => await app.close())
  const address = app.server.address()
  if (address === null || typeof address === 'string') throw new Error('The HA API does not listen on a port.')
  const { port } = address
  const owned = cleanup.move()
  return {
    app,
    store: used,
    clock,
    port,
    events,
    recoveries,
    send: async (method, path, send = {}) => await sendTo(port, method, path, send),
    [Symbol.asyncDispose]: async () => await owned.disposeAsync(),
  }
}

async function temporaryStore(cleanup: AsyncDisposableStack, clock: Clock): Promise<Store> {
  const directory = await mkdtemp(join(tmpdir(), 'mainstay-ha-'))
  cleanup.defer(async () => await rm(directory, { recursive: true, force: true }))
  const store = SqliteStore.open({ path: join(directory, 'state.db'), clock })
  cleanup.defer(async () => await store.close())
  await store.migrate()
  return store
}

export async function sendTo(port: number, method: string, path: string, options: SendOptions): Promise<Answer> {
  const { body, raw, version, headers = {} } = options
  const payload = raw ?? (body === undefined ? undefined : toJson(body))
  const done = Promise.withResolvers<Answer>()
  const request = httpRequest(
    {
      host: '127.0.0.1',
      port,
      method,
      path,
      agent: false,
      headers: {
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
        ...(payload === undefined ? {} : { 'Content-Length': Buffer.byteLength(payload) }),
        ...(version === undefined ? {} : { 'OpenStack-API-Version': `instance-ha ${version}` }),
        ...headers,
      },
    },
    (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => void chunks.push(chunk))
      response.on('error', done.reject)
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8')
        const isJson = response.headers['content-type']?.includes('json') === true && text !== ''
        done.resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          rawHeaders: response.rawHeaders,
          text,
          json: isJson ? parseJson(text, `the answer to ${method} ${path}`) : null,
        })
      })
    },
  )
  request.on('error', done.reject)
  for (const chunk of options.chunks ?? []) request.write(chunk)
  request.end(payload)
  return await done.promise
}
