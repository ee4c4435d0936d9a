import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, test } from 'vitest'
import { httpServer, page, withCluster } from '../testing/fixture-server.ts'
import { openListeningSocket } from './listening-socket.ts'

/** A client that is accepted by somebody who closes at once. */
async function isAcceptedAndClosed(port: number): Promise<void> {
  const client = connect(port, '127.0.0.1')
  client.resume()
  await once(client, 'close')
}

describe('a socket that is opened to be handed over (testkit.md A4)', { timeout: 60_000 }, () => {
  test('H-9 what the parent accepted is closed and counted', async () => {
    const socket = await openListeningSocket({ host: '127.0.0.1', port: 0 })
    try {
      expect(socket.lostConnections).toBe(0)
      await isAcceptedAndClosed(socket.port)
      await isAcceptedAndClosed(socket.port)
      expect(socket.lostConnections).toBe(2)
    } finally {
      socket.close()
    }
  })

  test('H-9 a connection that the test process took from a server is told by that server, over all its starts', async () => {
    let early = 2
    const api = httpServer({
      // The port is ours already, and nobody has spawned yet.
      prepare: async ({ port }) => {
        while (early-- > 0) await isAcceptedAndClosed(port)
      },
    })
    await withCluster([api, httpServer({ name: 'sound' })], async (cluster) => {
      await cluster.startAll()
      expect(cluster.get('api').lostConnections).toBe(2)
      expect(cluster.get('sound').lostConnections).toBe(0)
      expect(await page(`${cluster.get('api').url}/healthz`)).toBe('ok')
      await cluster.get('api').restart()
      expect(cluster.get('api').lostConnections).toBe(2)
    })
  })
})
