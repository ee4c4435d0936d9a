import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { LibvirtErrorCode } from '@mainstay/libvirt-rpc'
import { expect, onTestFinished, test } from 'vitest'

import { SystemClock } from '../../core/clock.ts'
import { silentLogger } from '../../core/logging.ts'
import { SystemRandom } from '../../core/random.ts'
import type { DomainAccess } from './domain-source.ts'
import { LibvirtDomainSource, type LibvirtTimes } from './libvirt-domain-source.ts'

const WORD = 4
const HEADER = 7 * WORD
const REPLY = 1
const REFUSED = 1
const SUPPORTS_FEATURE = 60
const LONG_MS = 600_000
const LONG: LibvirtTimes = {
  connectTimeoutMs: LONG_MS,
  callTimeoutMs: LONG_MS,
  keepaliveIntervalMs: LONG_MS,
  keepaliveMisses: 1,
}

/** A libvirt on a socket that answers what is asked at the beginning, with zeros, until it is silent. */
class Daemon {
  silent = false
  /** The number of the error that is answered; 0 for none. */
  refuses = 0
  readonly socketPath: string
  readonly #server = createServer((socket) => this.#serve(socket))
  readonly #sockets = new Set<Socket>()

  private constructor(directory: string) {
    this.socketPath = join(directory, 'libvirt-sock')
  }

  /** Ends with the test. */
  static async start(): Promise<Daemon> {
    const directory = await mkdtemp(join(tmpdir(), 'mainstay-domains-'))
    onTestFinished(async () => await rm(directory, { recursive: true }))
    const daemon = new Daemon(directory)
    daemon.#server.listen(daemon.socketPath)
    await once(daemon.#server, 'listening')
    onTestFinished(() => {
      for (const socket of daemon.#sockets) socket.destroy()
      daemon.#server.close()
    })
    return daemon
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket)
    let unread = Buffer.alloc(0)
    socket.on('data', (chunk: Buffer) => {
      unread = Buffer.concat([unread, chunk])
      while (unread.length >= WORD && unread.length >= unread.readUInt32BE(0)) {
        const call = unread.subarray(0, unread.readUInt32BE(0))
        unread = unread.subarray(call.length)
        if (!this.silent) socket.write(answerTo(call, this.refuses))
      }
    })
  }
}

/** Monitors.md 7.6: length, program, version, procedure, kind, serial, status, and zeros, which say "nothing". */
function answerTo(call: Buffer, error: number): Buffer {
  const answer = Buffer.alloc(HEADER + 256)
  call.copy(answer, 0, 0, HEADER)
  answer.writeUInt32BE(answer.length, 0)
  answer.writeUInt32BE(REPLY, 4 * WORD)
  if (error !== 0) {
    answer.writeUInt32BE(REFUSED, 6 * WORD)
    answer.writeUInt32BE(error, HEADER)
  } else if (call.readUInt32BE(3 * WORD) === SUPPORTS_FEATURE) answer.writeUInt32BE(1, HEADER)
  return answer
}

/** What the listener is told, first things first. */
function watch(daemon: Daemon, times: LibvirtTimes): { connected: Promise<DomainAccess>; lost: Promise<string> } {
  const address = { uri: 'qemu:///system', socketPaths: [daemon.socketPath] } as const
  const deps = { clock: new SystemClock(), random: new SystemRandom(), logger: silentLogger() }
  const source = new LibvirtDomainSource({ address, times }, deps)
  onTestFinished(async () => await source.stop())
  const connected = Promise.withResolvers<DomainAccess>()
  const lost = Promise.withResolvers<string>()
  source.start({ connected: connected.resolve, disconnected: lost.resolve, event: () => undefined })
  return { connected: connected.promise, lost: lost.promise }
}

test('a libvirt that lets us in and says nothing is left after connect_timeout', async () => {
  const daemon = await Daemon.start()
  daemon.silent = true
  const { lost } = watch(daemon, { ...LONG, connectTimeoutMs: 1_234 })
  expect(await lost).toContain('1234 ms')
})

test('an answer that does not come is given up after call_timeout', async () => {
  const daemon = await Daemon.start()
  const { connected } = watch(daemon, { ...LONG, callTimeoutMs: 1_234 })
  const access = await connected
  daemon.silent = true
  await expect(access.listDomains({ signal: new AbortController().signal })).rejects.toThrow('within 1234 ms')
})

test('a guest without metadata has none, one that is gone cannot be asked', async () => {
  const daemon = await Daemon.start()
  const { connected } = watch(daemon, LONG)
  const access = await connected
  const guest = { uuid: '11111111-2222-3333-4444-555555555555', name: 'u' }
  const asked = { namespace: 'http://x', signal: new AbortController().signal }
  daemon.refuses = LibvirtErrorCode.NO_DOMAIN_METADATA
  expect(await access.metadata(guest, asked)).toBeUndefined()
  daemon.refuses = LibvirtErrorCode.NO_DOMAIN
  await expect(access.metadata(guest, asked)).rejects.toThrow('NO_DOMAIN')
})

test('a libvirt that gives no sign of life is left after as many times keepalive_interval as it may miss', async () => {
  const daemon = await Daemon.start()
  const { connected, lost } = watch(daemon, { ...LONG, keepaliveIntervalMs: 500, keepaliveMisses: 2 })
  await connected
  daemon.silent = true
  // By the intervals that hold unless others are chosen it takes longer; what is due earlier comes first, however late.
  const late = new SystemClock().sleep(8_000)
  expect(await Promise.race([lost, late])).toBe('libvirtd left 2 keep-alive pings unanswered.')
})
