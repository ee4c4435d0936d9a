import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate } from 'node:timers/promises'

import { WebSocket, WebSocketServer } from 'ws'

import { formatCompat } from '../../packages/mainstay/src/events/format/compat.ts'
import type { ServerCalls } from './mainstay-server.ts'
import { memoryInUse, paced } from './measuring.ts'
import { serveParent } from './parent.ts'
import { sampleEvent } from './sample-event.ts'

/**
 * What somebody writes in an afternoon: the `ws` library, every event serialised once and sent to every client, nothing
 * stored, nothing filtered.
 */

const BATCH = 256
/** Clients that hold more than this are waited for, so that a burst does not fill the memory. */
const MAX_BUFFERED = 4 * 1024 * 1024

const server = createServer()
const sockets = new WebSocketServer({ server, perMessageDeflate: false })
let number = 0

function broadcast(options?: Parameters<typeof sampleEvent>[1]): void {
  const event = { ...sampleEvent(number, options), seq: number, epoch: 'e', cursor: `e:${number}` }
  number += 1
  const text = Buffer.from(formatCompat(event))
  for (const socket of sockets.clients) {
    if (socket.readyState === WebSocket.OPEN) socket.send(text, { binary: false })
  }
}

serveParent<ServerCalls>({
  start: async () => {
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
    return (server.address() as AddressInfo).port
  },
  burst: async (count) => {
    for (let done = 0; done < count; done += 1) {
      broadcast()
      if (done % BATCH !== BATCH - 1) continue
      do await setImmediate()
      while ([...sockets.clients].some(({ bufferedAmount }) => bufferedAmount > MAX_BUFFERED))
    }
  },
  connected: async (count) => {
    while (sockets.clients.size < count) await setImmediate()
  },
  pace: async ({ count, everyMs, bytes }) => {
    await paced(count, everyMs, async () => {
      broadcast({ sentAt: process.hrtime.bigint(), ...(bytes === undefined ? {} : { bytes }) })
    })
  },
  memory: memoryInUse,
  cpu: async () => {
    const { user, system } = process.cpuUsage()
    return user + system
  },
})
