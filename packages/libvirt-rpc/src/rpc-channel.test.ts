import { duplexPair } from 'node:stream'
import type { Duplex } from 'node:stream'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { LibvirtDisconnectedError, LibvirtError, LibvirtProtocolError } from './errors.ts'
import { decodeFrame, encodeFrame, FrameStatus, FrameType } from './frame.ts'
import type { Frame, FrameHeader } from './frame.ts'
import { FrameSplitter } from './frame-splitter.ts'
import { ManualTimers } from './manual-timers.ts'
import { KeepaliveProcedure, procedures, Program } from './procedures.ts'
import { RpcChannel } from './rpc-channel.ts'
import type { XdrWriter } from './xdr-writer.ts'
import { readNothing } from './xdr-reader.ts'

/** What a well-behaved libvirtd never does; everything else is tested against the real one. */
function withMisbehavingServer(options: { maxCallsInFlight?: number } = {}) {
  const [client, server] = duplexPair()
  const timers = new ManualTimers()
  const channel = new RpcChannel(client, {
    callTimeoutMs: 1_000,
    maxCallsInFlight: options.maxCallsInFlight ?? 4,
    keepaliveIntervalMs: 5_000,
    keepaliveMisses: 3,
    timers,
    onMessage: readNothing,
  })
  return { channel, server, timers, received: collect(server) }
}

function collect(server: Duplex): Frame[] {
  const frames: Frame[] = []
  const splitter = new FrameSplitter()
  server.on('data', (chunk: Buffer) => {
    for (const bytes of splitter.push(chunk)) frames.push(decodeFrame(bytes))
  })
  return frames
}

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

const reply = (call: FrameHeader, write: (writer: XdrWriter) => void, changes: Partial<FrameHeader> = {}): Buffer =>
  encodeFrame({ ...call, type: FrameType.REPLY, status: FrameStatus.OK, ...changes }, write)

const hostname = (channel: RpcChannel, options?: { signal?: AbortSignal }): Promise<string> =>
  channel.call(procedures.getHostname, options, readNothing, (reader) => reader.string())

describe('channel with a server that misbehaves', () => {
  test('answers in another order reach their calls', async () => {
    const { channel, server, received } = withMisbehavingServer()
    const calls = [hostname(channel), hostname(channel)]
    await settle()
    server.write(reply(received[1]!, (writer) => writer.string('second')))
    server.write(reply(received[0]!, (writer) => writer.string('first')))
    expect(await Promise.all(calls)).toEqual(['first', 'second'])
  })

  test('an answer to nobody is dropped, the connection stays', async () => {
    const { channel, server, received } = withMisbehavingServer()
    const call = hostname(channel)
    await settle()
    server.write(reply({ ...received[0]!, serial: 4711 }, (writer) => writer.string('whose?')))
    server.write(reply(received[0]!, (writer) => writer.string('mine')))
    expect(await call).toBe('mine')
  })

  test('an answer whose body is cut short fails its call only', async () => {
    const { channel, server, received } = withMisbehavingServer()
    const first = hostname(channel)
    const second = hostname(channel)
    await settle()
    server.write(reply(received[0]!, (writer) => writer.u32(100)))
    server.write(reply(received[1]!, (writer) => writer.string('whole')))
    await expect(first).rejects.toThrow(LibvirtProtocolError)
    expect(await second).toBe('whole')
  })

  test('a refusal whose body is cut short fails its call too', async () => {
    const { channel, server, received } = withMisbehavingServer()
    const call = hostname(channel)
    await settle()
    server.write(reply(received[0]!, (writer) => writer.i32(42), { status: FrameStatus.ERROR }))
    await expect(call).rejects.toThrow(LibvirtProtocolError)
    expect(channel.endReason).toBeUndefined()
  })

  test('a refusal is a LibvirtError', async () => {
    const { channel, server, received } = withMisbehavingServer()
    const call = hostname(channel)
    await settle()
    const refusal = (writer: XdrWriter): unknown => writer.i32(38).i32(0).u32(0).i32(2)
    server.write(reply(received[0]!, refusal, { status: FrameStatus.ERROR }))
    await expect(call).rejects.toThrow(LibvirtError)
  })

  test('an answer that names another procedure ends the connection: nothing it says can be trusted', async () => {
    const { channel, server, received } = withMisbehavingServer()
    const call = hostname(channel)
    await settle()
    server.write(reply({ ...received[0]!, procedure: 2 }, readNothing))
    await expect(call).rejects.toThrow(LibvirtDisconnectedError)
    expect(await channel.ended).toMatchObject({ kind: 'protocol' })
  })

  test('garbage ends the connection and rejects every call, those that wait included', async () => {
    const { channel, server, received } = withMisbehavingServer({ maxCallsInFlight: 1 })
    const calls = [hostname(channel), hostname(channel)]
    await settle()
    expect(received).toHaveLength(1)
    server.write('HTTP/1.1 400 Bad Request\r\n\r\n')
    const outcomes = await Promise.allSettled(calls)
    expect(outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason)).toEqual([
      expect.objectContaining({ name: 'LibvirtDisconnectedError', sent: true }),
      expect.objectContaining({ name: 'LibvirtDisconnectedError', sent: false }),
    ])
    expect(await channel.ended).toMatchObject({ kind: 'protocol', error: expect.any(LibvirtProtocolError) })
  })

  test('no call is sent beyond the window, and a call given up keeps its place until its answer', async () => {
    const { channel, server, timers, received } = withMisbehavingServer({ maxCallsInFlight: 2 })
    const calls = [1, 2, 3, 4].map(() => hostname(channel))
    const outcomes = Promise.allSettled(calls)
    await settle()
    expect(received).toHaveLength(2)
    timers.advance(1_000)
    expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected', 'rejected'])
    const late = hostname(channel)
    await settle()
    expect(received).toHaveLength(2)
    server.write(reply(received[0]!, (writer) => writer.string('too late')))
    await settle()
    expect(received).toHaveLength(3)
    server.write(reply(received[2]!, (writer) => writer.string('in time')))
    expect(await late).toBe('in time')
    expect(timers.waiting).toBe(0)
  })

  test('a ping is answered at once, ahead of the calls that wait', async () => {
    const { channel, server, received } = withMisbehavingServer({ maxCallsInFlight: 1 })
    const outcomes = Promise.allSettled([hostname(channel), hostname(channel)])
    const ping = { program: Program.KEEPALIVE, version: 1, procedure: KeepaliveProcedure.PING, serial: 0, status: 0 }
    server.write(encodeFrame({ ...ping, type: FrameType.MESSAGE }))
    await settle()
    expect(received.map(({ program, procedure }) => [program, procedure])).toEqual([
      [Program.REMOTE, procedures.getHostname.number],
      [Program.KEEPALIVE, KeepaliveProcedure.PONG],
    ])
    channel.end({ kind: 'closed', message: 'over' })
    expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  })

  test('messages of unknown programs and types are left alone', async () => {
    const { channel, server, received } = withMisbehavingServer()
    const call = hostname(channel)
    await settle()
    for (const type of [2, 3, 4, 5, 99]) server.write(encodeFrame({ ...received[0]!, program: 1, type }))
    server.write(reply(received[0]!, (writer) => writer.string('still here')))
    expect(await call).toBe('still here')
  })

  test('a signal that has fired already sends nothing', async () => {
    const { channel, received } = withMisbehavingServer()
    await expect(hostname(channel, { signal: AbortSignal.abort(new Error('no')) })).rejects.toThrow('no')
    await settle()
    expect(received).toEqual([])
  })

  test('property: whatever a server sends, each call settles and no timer is left', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 80 }), { maxLength: 10 }), async (chunks) => {
        const { channel, server, timers } = withMisbehavingServer()
        channel.startKeepalive()
        const outcome = Promise.allSettled([hostname(channel), hostname(channel)])
        for (const chunk of chunks) server.write(chunk)
        await settle()
        channel.end({ kind: 'closed', message: 'over' })
        expect((await outcome).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
        expect(timers.waiting).toBe(0)
      }),
    )
  })
})
