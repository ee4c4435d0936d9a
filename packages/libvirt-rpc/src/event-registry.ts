import type { DomainEventSubscription, SubscribeOptions } from './connection.ts'
import type { DomainRef } from './domain.ts'
import { writeDomain } from './domain-codec.ts'
import type { DomainEvent, DomainEventId, DomainEventOf } from './domain-event.ts'
import { decodeDomainEvent } from './domain-event-codec.ts'
import type { ReceivedEvent } from './domain-event-codec.ts'
import { LibvirtDisconnectedError, LibvirtError, LibvirtProtocolError, LibvirtTimeoutError } from './errors.ts'
import { procedures } from './procedures.ts'
import type { Call } from './rpc-channel.ts'
import { untilAborted } from './until-aborted.ts'
import type { XdrReader } from './xdr-reader.ts'
import { readNothing } from './xdr-reader.ts'

/** Events kept for registrations whose answer is on its way. More are no accident: better a new connection than a gap. */
const EARLY_EVENTS_LIMIT = 1_000

type Listener = (event: DomainEvent) => void

interface Registration {
  readonly key: string
  readonly listeners: Set<Listener>
  /** The number that the server gave; rejects when it refused or could not be asked. */
  readonly callbackId: PromiseWithResolvers<number>
}

/**
 * Who gets which event. libvirtd accepts one registration per connection, event and domain filter ("event callback
 * already tracked" otherwise), numbers it, and its event messages carry that number.
 *
 *   none ──first listener──▶ registering ──▶ registered ──last listener leaves──▶ deregistering ──▶ none
 *
 * libvirtd works on several calls of a client at once, so a new registration waits for the deregistration before it.
 *
 * The first events of a registration may overtake the answer that tells its number. While one is under way, events with
 * an unknown number are kept and delivered, in order, once the number is known; otherwise an unknown number belongs to a
 * subscription that has just ended, and is dropped.
 */
export class EventRegistry {
  readonly #call: Call
  readonly #registrations = new Map<string, Registration>()
  readonly #byCallbackId = new Map<number, Registration>()
  readonly #deregistering = new Map<string, Promise<void>>()
  #early: ReceivedEvent[] = []
  #registering = 0

  constructor(call: Call) {
    this.#call = call
  }

  /** Takes an event message of the remote program. Throws `LibvirtProtocolError` when it cannot be read. */
  receive(procedure: number, body: XdrReader): void {
    const received = decodeDomainEvent(procedure, body)
    if (received === undefined) return
    const registration = this.#byCallbackId.get(received.callbackId)
    if (registration !== undefined) deliver(registration, received.event)
    else if (this.#registering > 0) this.#keep(received)
  }

  async subscribe<Id extends DomainEventId>(
    eventId: Id,
    { domain, signal }: SubscribeOptions,
    listener: (event: DomainEventOf<Id>) => void,
  ): Promise<DomainEventSubscription> {
    signal?.throwIfAborted()
    const key = `${eventId} ${domain?.uuid.toLowerCase() ?? 'all'}`
    const registration = this.#registrations.get(key) ?? this.#open(key, eventId, domain)
    const own: Listener = (event) => {
      if (hasId(event, eventId)) listener(event)
    }
    registration.listeners.add(own)
    const unsubscribe = (): Promise<void> => this.#leave(registration, own)
    try {
      await untilAborted(registration.callbackId.promise, signal)
    } catch (error) {
      void unsubscribe()
      throw error
    }
    return { unsubscribe, [Symbol.asyncDispose]: unsubscribe }
  }

  #open(key: string, eventId: DomainEventId, domain: DomainRef | undefined): Registration {
    const registration = { key, listeners: new Set<Listener>(), callbackId: Promise.withResolvers<number>() }
    this.#registrations.set(key, registration)
    void this.#register(registration, eventId, domain)
    return registration
  }

  async #register(registration: Registration, eventId: DomainEventId, domain: DomainRef | undefined): Promise<void> {
    await this.#deregistering.get(registration.key)
    this.#registering += 1
    try {
      await this.#call(
        procedures.eventRegister,
        undefined,
        (writer) => writer.i32(eventId).optional(domain, writeDomain),
        (reader) => this.#adopt(reader.i32(), registration),
      )
    } catch (error) {
      this.#registrations.delete(registration.key)
      registration.callbackId.reject(error)
    } finally {
      this.#registering -= 1
      if (this.#registering === 0) this.#early = []
    }
  }

  #keep(received: ReceivedEvent): void {
    if (this.#early.length === EARLY_EVENTS_LIMIT) {
      throw new LibvirtProtocolError(`${EARLY_EVENTS_LIMIT} events belong to no registration that was answered.`)
    }
    this.#early.push(received)
  }

  #adopt(callbackId: number, registration: Registration): void {
    this.#byCallbackId.set(callbackId, registration)
    for (const early of this.#early) if (early.callbackId === callbackId) deliver(registration, early.event)
    this.#early = this.#early.filter((early) => early.callbackId !== callbackId)
    registration.callbackId.resolve(callbackId)
  }

  async #leave(registration: Registration, listener: Listener): Promise<void> {
    const { key, listeners } = registration
    const last = listeners.delete(listener) && listeners.size === 0
    if (last && this.#registrations.get(key) === registration) {
      this.#registrations.delete(key)
      const done = this.#deregister(registration).finally(() => this.#deregistering.delete(key))
      this.#deregistering.set(key, done)
    }
    await this.#deregistering.get(key)
  }

  async #deregister(registration: Registration): Promise<void> {
    try {
      const callbackId = await registration.callbackId.promise
      this.#byCallbackId.delete(callbackId)
      await this.#call(procedures.eventDeregister, undefined, (writer) => writer.i32(callbackId), readNothing)
    } catch (error) {
      // Nothing is lost when the server keeps the registration: it ends with its connection, and its events are dropped.
      const harmless = [LibvirtDisconnectedError, LibvirtError, LibvirtTimeoutError]
      if (!harmless.some((type) => error instanceof type)) throw error
    }
  }
}

/** Each in a turn of its own: a listener that throws must stop neither the others nor the reading of the stream. */
function deliver({ listeners }: Registration, event: DomainEvent): void {
  for (const listener of listeners) {
    queueMicrotask(() => {
      if (listeners.has(listener)) listener(event)
    })
  }
}

function hasId<Id extends DomainEventId>(event: { readonly id: DomainEventId }, id: Id): event is DomainEventOf<Id> {
  return event.id === id
}
