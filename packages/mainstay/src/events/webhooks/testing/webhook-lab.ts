import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'

import { ManualClock } from '../../../core/clock.ts'
import { requestContext } from '../../../core/context.ts'
import { SystemIds } from '../../../core/ids.ts'
import { createLogger } from '../../../core/logging.ts'
import { Metrics } from '../../../core/metrics.ts'
import { createHttpApp, registerNative, type Authenticate, type HttpApp } from '../../../http/index.ts'
import { SqliteStore, type Store } from '../../../store/index.ts'
import { MemoryHistory } from '../../memory/history.ts'
import { MemoryEventLog } from '../../memory/log.ts'
import { newEvent } from '../../testing/new-event.ts'
import type { NewStreamEvent } from '../../stream-event.ts'
import { WebhookDesk, type DeskOptions } from '../desk.ts'
import { WebhookDispatcher } from '../dispatcher.ts'
import { WebhookFigures } from '../figures.ts'
import type { DispatchOptions } from '../options.ts'
import { webhookRoutes } from '../routes.ts'
import { Sender } from '../send.ts'
import { targetRules } from '../target.ts'

/** Everybody without a project is an admin. */
const authenticate: Authenticate = async ({ headers, requestId, timestampMs }) =>
  requestContext({ requestId, timestampMs, isAdmin: headers['x-project'] === undefined })

export interface Answer {
  readonly status: number
  readonly body: Record<string, unknown>
}

/** A process that delivers webhooks, with its API; several can share a store, a log and a clock. */
export class WebhookNode implements AsyncDisposable {
  readonly metrics = new Metrics()
  readonly dispatcher: WebhookDispatcher
  readonly #app: HttpApp
  readonly #sender: Sender
  #stopped = false

  private constructor(lab: WebhookLab, dispatch: Partial<DispatchOptions>, desk: Partial<DeskOptions>) {
    const { clock, store, log } = lab
    const { metrics } = this
    const rules = targetRules(['127.0.0.1'])
    this.#sender = new Sender({ rules, clock })
    const { send } = this.#sender
    const figures = new WebhookFigures(metrics)
    const ids = new SystemIds()
    const shared = { store, log, clock, ids, send, sendConfigured: send }
    const random = { next: () => 0.5 }
    this.dispatcher = new WebhookDispatcher({ ...shared, random, logger: lab.logger, figures }, dispatch)
    this.#app = createHttpApp({ clock, ids, metrics })
    const changed = async (id: string): Promise<void> => await this.dispatcher.changed(id)
    this.#desk = new WebhookDesk({ ...shared, rules, changed }, desk)
  }

  readonly #desk: WebhookDesk

  static async start(
    lab: WebhookLab,
    { dispatch = {}, desk = {} }: { dispatch?: Partial<DispatchOptions>; desk?: Partial<DeskOptions> } = {},
  ): Promise<WebhookNode> {
    const node = new WebhookNode(lab, dispatch, desk)
    await registerNative(node.#app, { clock: lab.clock, logger: lab.logger, authenticate }, (native) =>
      webhookRoutes(native, node.#desk),
    )
    node.dispatcher.start()
    return node
  }

  async call(
    method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE',
    path: string,
    body?: object,
    headers = {},
  ): Promise<Answer> {
    const url = `/v1/events/webhooks${path}`
    const answer = await this.#app.inject({ method, url, headers, ...(body === undefined ? {} : { payload: body }) })
    return { status: answer.statusCode, body: answer.body === '' ? {} : answer.json() }
  }

  /** Makes a webhook. @returns its id and its secret */
  async add(url: string, fields: object = {}): Promise<{ id: string; secret: string }> {
    const { status, body } = await this.call('POST', '', { url, ...fields })
    if (status !== 201) throw new Error(`The webhook was not made: ${JSON.stringify(body)}`)
    return { id: body['id'] as string, secret: body['secret'] as string }
  }

  async show(id: string): Promise<Record<string, unknown>> {
    return (await this.call('GET', `/${id}`)).body
  }

  /** Ends as a process does that is told to. */
  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    await this.dispatcher.stop({ timeoutMs: 10_000 })
    this.#sender[Symbol.dispose]()
    await this.#app.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}

/** What nodes share: a database, an event log, a clock that a test moves, and what they log. */
export class WebhookLab implements AsyncDisposable {
  readonly clock = new ManualClock(Date.UTC(2026, 10, 21))
  readonly history = new MemoryHistory(new SystemIds())
  readonly log: MemoryEventLog
  readonly store: Store
  readonly logger
  logged = ''
  readonly #directory: string | undefined
  readonly #nodes: WebhookNode[] = []
  #count = 0

  private constructor(store: Store, directory: string | undefined) {
    this.store = store
    this.#directory = directory
    this.log = new MemoryEventLog({
      clock: this.clock,
      history: this.history,
      retention: { maxAgeMs: 1e13, maxEvents: 50, maxBytes: 1e12 },
    })
    const destination = new Writable({
      write: (chunk: Buffer, _encoding, done) => {
        this.logged += chunk.toString('utf8')
        done()
      },
    })
    this.logger = createLogger({ level: 'trace', format: 'json', destination })
  }

  /** @param store a migrated store, which is closed by whoever opened it; a new SQLite file unless given */
  static async open(store?: Store): Promise<WebhookLab> {
    if (store !== undefined) return new WebhookLab(store, undefined)
    const directory = await mkdtemp(join(tmpdir(), 'mainstay-webhooks-'))
    const own = SqliteStore.open({ path: join(directory, 'state.db') })
    await own.migrate()
    return new WebhookLab(own, directory)
  }

  async node(options?: Parameters<typeof WebhookNode.start>[1]): Promise<WebhookNode> {
    const node = await WebhookNode.start(this, options)
    this.#nodes.push(node)
    return node
  }

  /** Appends so many events. @returns their ids */
  async happen(count: number, fields: Partial<NewStreamEvent> = {}): Promise<string[]> {
    const batch = Array.from({ length: count }, () =>
      newEvent((this.#count += 1), { atMs: this.clock.now(), ...fields }),
    )
    return (await this.log.append(batch)).events.map(({ id }) => id)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const node of this.#nodes) await node.stop()
    await this.log.close()
    if (this.#directory === undefined) return
    await this.store.close()
    await rm(this.#directory, { recursive: true, force: true })
  }
}
