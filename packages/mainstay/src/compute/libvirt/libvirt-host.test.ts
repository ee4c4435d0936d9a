import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { expect, onTestFinished, test } from 'vitest'

import { ManualClock } from '../../core/clock.ts'
import { silentLogger } from '../../core/logging.ts'
import { TaskGroup } from '../../core/task-group.ts'
import { LibvirtHost, type HostListener } from './libvirt-host.ts'

const WORD = 4
const HEADER = 7 * WORD
const REPLY = 1
/** Zeros are an answer to everything that is asked at the beginning: no authentication, no feature, an empty machine. */
const BODY = 256

/** Answers every call of libvirt's protocol (monitors.md 7.6), and nothing while `silent`. */
class Daemon {
  silent = false
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  constructor() {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
      let unread: Buffer = Buffer.alloc(0)
      socket.on('data', (chunk: Buffer) => {
        unread = Buffer.concat([unread, chunk])
        while (unread.length >= WORD && unread.length >= unread.readUInt32BE(0)) {
          const call = unread.subarray(0, unread.readUInt32BE(0))
          unread = unread.subarray(call.length)
          if (this.silent) continue
          const answer = Buffer.alloc(HEADER + BODY)
          call.copy(answer, 0, 0, HEADER)
          answer.writeUInt32BE(answer.length, 0)
          answer.writeUInt32BE(REPLY, 4 * WORD)
          socket.write(answer)
        }
      })
    })
  }

  async listen(socketPath: string): Promise<void> {
    this.#server.listen(socketPath)
    await once(this.#server, 'listening')
  }

  hangUp(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async close(): Promise<void> {
    this.hangUp()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

test('a host that refused once, then served and falls silent is unknown, not down', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'mainstay-host-'))
  onTestFinished(async () => await rm(directory, { recursive: true }))
  const socketPath = join(directory, 'libvirt-sock')
  const clock = new ManualClock()
  const tasks = new TaskGroup({ clock, logger: silentLogger() })
  const timing = { connectTimeoutMs: 10_000, askTimeoutMs: 10_000, reconnectMinMs: 1_000, reconnectMaxMs: 1_000 }
  const services = { clock, tasks, timing: { ...timing, keepaliveIntervalMs: 0, keepaliveMisses: 3 } }
  const host = new LibvirtHost({ name: 'kvm-1', socketPath }, services)
  onTestFinished(async () => await host.close())
  const connected = Promise.withResolvers<void>()
  let lost = Promise.withResolvers<void>()
  const listener: HostListener = {
    connected: () => connected.resolve(),
    lost: () => lost.resolve(),
    guestChanged: () => undefined,
  }
  await host.start(listener)
  await lost.promise
  expect(host.state).toBe('down')

  const daemon = new Daemon()
  await daemon.listen(socketPath)
  onTestFinished(async () => await daemon.close())
  await clock.advance(1_000)
  await connected.promise
  expect(host.state).toBe('up')

  lost = Promise.withResolvers<void>()
  daemon.silent = true
  daemon.hangUp()
  await lost.promise
  expect(host.state).toBe('unknown')
})
