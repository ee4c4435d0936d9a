import type { Clock } from '../../core/clock.ts'
import { InvalidInputError } from '../../core/errors.ts'
import type { Ids } from '../../core/ids.ts'
import { parseJson, type JsonObject } from '../../core/json.ts'
import { BadRequestError, ConflictError, NotFoundError } from '../../http/errors.ts'
import type { Store } from '../../store/index.ts'
import type { EventScope } from '../access/scope.ts'
import { EVERYTHING, parseFilter, type EventFilter, type FilterLimits } from '../filter/index.ts'
import { rangeOf } from '../history/range.ts'
import { parseSince } from '../hub/since.ts'
import type { EventLog } from '../log.ts'
import type { StreamEvent } from '../stream-event.ts'
import { countDeadLetters, findDeadLetter, listDeadLetters, noteDeadLetter, removeDeadLetter } from './dead-letters.ts'
import { deliver, type DeliverDeps } from './deliver.ts'
import { RedeliveryFailedError } from './errors.ts'
import { judgeAttempt } from './judge.ts'
import { profileOf } from './profile.ts'
import { addWebhook, changeWebhook, findWebhook, listWebhooks, removeWebhook, type WebhookChange } from './records.ts'
import type { NewWebhookBody, WebhookChangeBody } from './schema.ts'
import { newSecret } from './signature.ts'
import { parseTarget, type TargetRules } from './target.ts'
import { deadLetterView, webhookView } from './view.ts'
import { NO_PROGRESS, type DeadLetter, type Webhook } from './webhook.ts'

export interface DeskDeps extends DeliverDeps {
  readonly store: Store
  readonly log: EventLog
  readonly clock: Clock
  readonly ids: Ids
  readonly rules: TargetRules
  /** Told of every webhook that was made, changed or removed. */
  readonly changed: (id: string) => Promise<void>
}

export interface DeskOptions {
  readonly maxWebhooks: number
  /** How long the previous secret is valid beside a new one. */
  readonly secretOverlapMs: number
  readonly filter?: FilterLimits | undefined
}

export const DEFAULT_DESK_OPTIONS: DeskOptions = { maxWebhooks: 100, secretOverlapMs: 24 * 3_600_000 }

/** What an admin does with webhooks. Source: event-stream.md R39. */
export class WebhookDesk {
  readonly #deps: DeskDeps
  readonly #options: DeskOptions

  constructor(deps: DeskDeps, options: Partial<DeskOptions> = {}) {
    this.#deps = deps
    this.#options = { ...DEFAULT_DESK_OPTIONS, ...options }
  }

  async list(): Promise<JsonObject[]> {
    const { store, clock } = this.#deps
    const [webhooks, counts] = await Promise.all([listWebhooks(store), countDeadLetters(store)])
    const now = clock.now()
    return webhooks.map((webhook) => webhookView(webhook, { deadLetters: counts.get(webhook.id) ?? 0, now }))
  }

  /** @throws NotFoundError */
  async show(id: string): Promise<JsonObject> {
    return await this.#view(await this.#find(id))
  }

  /** @throws BadRequestError, InvalidFilterError, CursorGoneError, ConflictError */
  async create(body: NewWebhookBody, scope: EventScope): Promise<JsonObject> {
    const { store, clock, ids } = this.#deps
    const { url, description = null, format = 'native', active = true, secret = newSecret() } = body
    const now = clock.now()
    const webhook: Webhook = {
      id: ids.ordered(),
      url: this.#target(url),
      description,
      format,
      filters: this.#filter(body.filters),
      scope,
      secret: checkSecret(secret),
      previousSecret: null,
      previousSecretUntil: null,
      active,
      inactiveReason: null,
      createdAt: now,
      updatedAt: now,
      progress: { ...NO_PROGRESS, ...(await this.#placeOf(body.since ?? 'latest')) },
    }
    const { maxWebhooks: limit } = this.#options
    if (!(await addWebhook(store, webhook, { limit }))) {
      throw new ConflictError(`There are ${limit} webhooks, and no more are allowed. Remove one that is not needed.`)
    }
    await this.#deps.changed(webhook.id)
    return { ...(await this.#view(webhook)), secret }
  }

  /** @throws NotFoundError, BadRequestError, InvalidFilterError, ConflictError */
  async change(id: string, body: WebhookChangeBody): Promise<JsonObject> {
    const { store, clock } = this.#deps
    this.#refuseConfigured(await this.#find(id))
    const secret = body.rotate_secret === true ? newSecret() : body.secret
    const now = clock.now()
    const change: WebhookChange = {
      ...(body.url === undefined ? {} : { url: this.#target(body.url) }),
      ...(body.description === undefined ? {} : { description: body.description }),
      ...(body.format === undefined ? {} : { format: body.format }),
      ...(body.filters === undefined ? {} : { filters: this.#filter(body.filters) }),
      ...(body.active === undefined ? {} : { active: body.active, inactiveReason: null }),
    }
    const rotate = ({ secret: previousSecret }: Webhook): WebhookChange =>
      secret === undefined
        ? {}
        : {
            secret: checkSecret(secret),
            previousSecret,
            previousSecretUntil: now + this.#options.secretOverlapMs,
          }
    const changed = await changeWebhook(store, id, (before) => ({ ...change, ...rotate(before) }), now)
    if (changed === undefined) throw noWebhook(id)
    await this.#deps.changed(id)
    return { ...(await this.#view(changed)), ...(secret === undefined ? {} : { secret }) }
  }

  /** @throws NotFoundError, ConflictError */
  async remove(id: string): Promise<void> {
    this.#refuseConfigured(await this.#find(id))
    await removeWebhook(this.#deps.store, id)
    await this.#deps.changed(id)
  }

  /** Events that the receiver never took, the oldest first. @throws NotFoundError */
  async deadLetters(id: string, options: { limit: number }): Promise<JsonObject[]> {
    await this.#find(id)
    return (await listDeadLetters(this.#deps.store, id, options)).map(deadLetterView)
  }

  /** @throws NotFoundError */
  async dropDeadLetter(id: string, letterId: string): Promise<void> {
    if (!(await removeDeadLetter(this.#deps.store, id, letterId))) throw noLetter(id, letterId)
  }

  /** Sends a dead letter once more; one that is taken is no dead letter any more. @throws NotFoundError, RedeliveryFailedError */
  async redeliver(id: string, letterId: string, signal: AbortSignal): Promise<void> {
    const webhook = await this.#find(id)
    const letter = await findDeadLetter(this.#deps.store, id, letterId)
    if (letter === undefined) throw noLetter(id, letterId)
    await this.#send(webhook, letter, signal)
  }

  /**
   * Sends all dead letters once more, the oldest first, until one is not taken.
   *
   * @returns how many were taken
   * @throws NotFoundError, RedeliveryFailedError
   */
  async redeliverAll(id: string, signal: AbortSignal): Promise<number> {
    const webhook = await this.#find(id)
    let taken = 0
    for (;;) {
      const [letter] = await listDeadLetters(this.#deps.store, id, { limit: 1 })
      if (letter === undefined) return taken
      await this.#send(webhook, letter, signal)
      taken += 1
    }
  }

  async #send(webhook: Webhook, letter: DeadLetter, signal: AbortSignal): Promise<void> {
    const { store, clock } = this.#deps
    const event = parseJson(letter.event, `dead letter ${letter.id}`) as unknown as StreamEvent
    const answer = await deliver(this.#deps, webhook, event, signal)
    const progress = { failures: 0, failingSince: null }
    const verdict = judgeAttempt(
      { answer, progress, now: clock.now(), chance: 0 },
      profileOf(webhook.format, this.#deps.profile),
    )
    if (verdict.kind === 'delivered') {
      await removeDeadLetter(store, webhook.id, letter.id)
      return
    }
    await noteDeadLetter(store, letter.id, { attempts: letter.attempts + 1, reason: verdict.reason })
    throw new RedeliveryFailedError(letter.eventId, verdict.reason)
  }

  async #find(id: string): Promise<Webhook> {
    const webhook = await findWebhook(this.#deps.store, id)
    if (webhook === undefined) throw noWebhook(id)
    return webhook
  }

  async #view(webhook: Webhook): Promise<JsonObject> {
    const counts = await countDeadLetters(this.#deps.store)
    return webhookView(webhook, { deadLetters: counts.get(webhook.id) ?? 0, now: this.#deps.clock.now() })
  }

  #target(url: string): string {
    try {
      return parseTarget(url, this.#deps.rules).href
    } catch (error) {
      if (error instanceof InvalidInputError) throw new BadRequestError(error.message, { cause: error })
      throw error
    }
  }

  #filter(filters: NewWebhookBody['filters']): EventFilter {
    const { filter: limits } = this.#options
    const given = { ...filters } as JsonObject
    return filters === undefined ? EVERYTHING : parseFilter(given, limits === undefined ? {} : { limits })
  }

  /** The place that deliveries begin after. */
  async #placeOf(text: string): Promise<{ epoch: string; position: number }> {
    const { log } = this.#deps
    const since = parseSince(text)
    const extent = await log.extent()
    const before = since.kind === 'time' ? await log.seqBefore(since) : 0
    const { after } = rangeOf({ since, until: undefined }, extent, { since: before, until: 0 })
    return { epoch: extent.epoch, position: after }
  }

  #refuseConfigured({ id, format }: Webhook): void {
    if (format !== 'notification') return
    throw new ConflictError(`Webhook ${id} is made from the configuration: change events.openstack.api_url there.`)
  }
}

/** @throws BadRequestError when a secret announces base64 and is none, or is too short to keep anything secret */
function checkSecret(secret: string): string {
  const [, encoded] = /^whsec_(.*)$/.exec(secret) ?? []
  const bytes = encoded === undefined ? undefined : Buffer.from(encoded, 'base64')
  if (bytes !== undefined && (bytes.length < 24 || bytes.toString('base64') !== encoded)) {
    throw new BadRequestError('A secret that begins with whsec_ must hold at least 24 bytes as base64 after it.')
  }
  return secret
}

function noWebhook(id: string): NotFoundError {
  return new NotFoundError(`There is no webhook ${id}.`)
}

function noLetter(id: string, letterId: string): NotFoundError {
  return new NotFoundError(`Webhook ${id} has no dead letter ${letterId}.`)
}
