import { describe, expect, test } from 'vitest'
import { writeDomain } from './domain-codec.ts'
import { DomainEventId } from './domain-event.ts'
import { LibvirtProtocolError } from './errors.ts'
import { EventRegistry } from './event-registry.ts'
import { procedures } from './procedures.ts'
import type { Call } from './rpc-channel.ts'
import { XdrReader } from './xdr-reader.ts'
import { XdrWriter } from './xdr-writer.ts'

const domain = { name: 'a', uuid: '11111111-2222-3333-4444-555555555555', id: 1 }
const REBOOT_MESSAGE = 319

/** A server whose answers the test gives by hand. */
function scriptedServer() {
  const calls: { readonly name: string; readonly answer: (callbackId: number) => void }[] = []
  const call: Call = (procedure, _options, _write, read) => {
    const outcome = Promise.withResolvers<ReturnType<typeof read>>()
    const answer = (callbackId: number): void =>
      outcome.resolve(read(new XdrReader(new XdrWriter().i32(callbackId).bytes())))
    calls.push({ name: procedure.name, answer })
    return outcome.promise
  }
  return { call, calls }
}

function reboot(callbackId: number): XdrReader {
  const writer = new XdrWriter().i32(callbackId)
  writeDomain(writer, domain)
  return new XdrReader(writer.bytes())
}

/** Lets everything that is ready run. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

const register = procedures.eventRegister.name
const deregister = procedures.eventDeregister.name

describe('registrations', () => {
  test('listeners of one event share one registration, which the last to leave ends', async () => {
    const { call, calls } = scriptedServer()
    const registry = new EventRegistry(call)
    const heard: string[] = []
    const first = registry.subscribe(DomainEventId.REBOOT, {}, () => heard.push('first'))
    const second = registry.subscribe(DomainEventId.REBOOT, {}, () => heard.push('second'))
    await settle()
    calls[0]?.answer(7)
    const subscriptions = await Promise.all([first, second])
    registry.receive(REBOOT_MESSAGE, reboot(7))
    await settle()
    expect(heard).toEqual(['first', 'second'])

    await subscriptions[0].unsubscribe()
    registry.receive(REBOOT_MESSAGE, reboot(7))
    await settle()
    expect(heard).toEqual(['first', 'second', 'second'])
    expect(calls.map(({ name }) => name)).toEqual([register])

    void subscriptions[1].unsubscribe()
    await settle()
    expect(calls.map(({ name }) => name)).toEqual([register, deregister])
  })

  test('events that overtake the answer of their registration are delivered, in order', async () => {
    const { call, calls } = scriptedServer()
    const registry = new EventRegistry(call)
    const heard: number[] = []
    void registry.subscribe(DomainEventId.REBOOT, {}, () => heard.push(heard.length))
    await settle()
    registry.receive(REBOOT_MESSAGE, reboot(7))
    registry.receive(REBOOT_MESSAGE, reboot(8))
    registry.receive(REBOOT_MESSAGE, reboot(7))
    await settle()
    expect(heard).toEqual([])
    calls[0]?.answer(7)
    await settle()
    expect(heard).toEqual([0, 1])
  })

  test('a flood of events for nobody ends the connection rather than leaving a gap', async () => {
    const { call } = scriptedServer()
    const registry = new EventRegistry(call)
    void registry.subscribe(DomainEventId.REBOOT, {}, () => undefined)
    await settle()
    const flood = (): void => {
      for (let count = 0; count <= 1_000; count++) registry.receive(REBOOT_MESSAGE, reboot(8))
    }
    expect(flood).toThrow(LibvirtProtocolError)
  })

  test('a new registration waits until the old one is gone', async () => {
    const { call, calls } = scriptedServer()
    const registry = new EventRegistry(call)
    const first = registry.subscribe(DomainEventId.REBOOT, { domain }, () => undefined)
    await settle()
    calls[0]?.answer(7)
    void (await first).unsubscribe()
    void registry.subscribe(DomainEventId.REBOOT, { domain }, () => undefined)
    await settle()
    expect(calls.map(({ name }) => name)).toEqual([register, deregister])
    calls[1]?.answer(0)
    await settle()
    expect(calls.map(({ name }) => name)).toEqual([register, deregister, register])
  })

  test('one domain and all domains are two registrations', async () => {
    const { call, calls } = scriptedServer()
    const registry = new EventRegistry(call)
    void registry.subscribe(DomainEventId.REBOOT, { domain }, () => undefined)
    void registry.subscribe(DomainEventId.REBOOT, {}, () => undefined)
    await settle()
    expect(calls).toHaveLength(2)
  })

  test('who gives up waiting leaves no registration behind', async () => {
    const { call, calls } = scriptedServer()
    const registry = new EventRegistry(call)
    const giveUp = new AbortController()
    const subscription = registry.subscribe(DomainEventId.REBOOT, { signal: giveUp.signal }, () => undefined)
    await settle()
    giveUp.abort(new Error('enough'))
    await expect(subscription).rejects.toThrow('enough')
    calls[0]?.answer(7)
    await settle()
    expect(calls.map(({ name }) => name)).toEqual([register, deregister])
  })
})
