import { describe, expect, test } from 'vitest'
import { LibvirtDisconnectedError, LibvirtEventOverflowError } from './errors.ts'
import { EventStream } from './event-stream.ts'

function opened(bufferLimit = 10) {
  const released = { times: 0 }
  const stream = new EventStream<number>(bufferLimit, async () => {
    released.times += 1
  })
  return { stream, released }
}

async function readAll(stream: EventStream<number>): Promise<number[]> {
  const events: number[] = []
  for await (const event of stream) events.push(event)
  return events
}

describe('event stream', () => {
  test('gives events in order, also those that come while somebody waits', async () => {
    const { stream } = opened()
    stream.push(1)
    const first = stream.next()
    const second = stream.next()
    stream.push(2)
    expect([await first, await second]).toEqual([
      { done: false, value: 1 },
      { done: false, value: 2 },
    ])
  })

  test('gives what waits before it ends, and releases its registration once', async () => {
    const { stream, released } = opened()
    stream.push(1)
    stream.push(2)
    stream.end()
    stream.push(3)
    expect(await readAll(stream)).toEqual([1, 2])
    expect(released.times).toBe(1)
  })

  test('a loop that is left early releases the registration', async () => {
    const { stream, released } = opened()
    stream.push(1)
    stream.push(2)
    for await (const event of stream) if (event === 1) break
    expect(released.times).toBe(1)
    expect(await stream.next()).toEqual({ done: true, value: undefined })
  })

  test('a reader that is too slow gets the events before the gap, then an error, then the end', async () => {
    const { stream } = opened(2)
    for (const event of [1, 2, 3, 4]) stream.push(event)
    expect(await stream.next()).toEqual({ done: false, value: 1 })
    expect(await stream.next()).toEqual({ done: false, value: 2 })
    await expect(stream.next()).rejects.toThrow(LibvirtEventOverflowError)
    expect(await stream.next()).toEqual({ done: true, value: undefined })
  })

  test('who leaves after a failure is not told of it any more', async () => {
    const { stream } = opened(1)
    for (const event of [1, 2]) stream.push(event)
    await stream.return()
    expect(await stream.next()).toEqual({ done: true, value: undefined })
  })

  test('the loss of the connection is an error, our own good-bye is an end', async () => {
    const lost = opened().stream
    const waiting = lost.next()
    lost.disconnected({ kind: 'server-closed', message: 'libvirtd closed the connection.' })
    await expect(waiting).rejects.toThrow(LibvirtDisconnectedError)

    const left = opened().stream
    left.disconnected({ kind: 'closed', message: 'This side closed the connection.' })
    expect(await left.next()).toEqual({ done: true, value: undefined })
  })
})
