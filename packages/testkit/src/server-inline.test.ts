import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import { pollUntil } from './clock.ts'
import type { InlineServer, ServerSpec } from './spec.ts'
import { httpServer, rejection, withCluster } from './testing/fixture-server.ts'
import { patientMs } from './testing/patience.ts'

/** A server object that answers everything with one status. */
async function answering(status: number): Promise<InlineServer> {
  const server = createServer((_request, response) => response.writeHead(status).end())
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const close = async (): Promise<void> => {
    server.closeAllConnections()
    await new Promise((resolve) => {
      server.close(resolve)
    })
  }
  return { ports: { http: (server.address() as AddressInfo).port }, close }
}

/** The same server twice: as a process with that environment, and as that object. */
const both = (env: Record<string, string>, inline: () => Promise<InlineServer>): ServerSpec =>
  httpServer({ env, inline, startTimeoutMs: patientMs })
const never = async (): Promise<never> => await new Promise(() => undefined)
const bad = async (): Promise<never> => {
  throw new Error('bad configuration')
}

describe.each(['process', 'inline'] as const)('a server in %s mode (testkit.md A13)', { timeout: 180_000 }, (mode) => {
  test('H-76 one that must not launch, and does not', async () => {
    await withCluster(
      [both({ EXIT_CODE: '1' }, bad)],
      async (cluster) => {
        expect(await cluster.expectNoLaunch('api')).toMatchObject({ code: 1, clean: false })
        expect(cluster.get('api').state).toBe('exited')
        await expect(cluster.start('api')).rejects.toMatchObject({ code: 'TK_START_FAILED' })
        expect(cluster.get('api').state).toBe('failed')
      },
      { mode },
    )
  })

  test('H-76 one that must not launch, but does', async () => {
    await withCluster(
      [both({}, async () => await answering(200))],
      async (cluster) => {
        await expect(cluster.expectNoLaunch('api')).rejects.toMatchObject({ code: 'TK_UNEXPECTED_LAUNCH' })
        const api = cluster.get('api')
        expect(api.state).toBe('failed')
        await expect(fetch(api.url)).rejects.toThrow('fetch failed')
      },
      { mode },
    )
  })

  test('H-76 one that answers 503 is not ready', async () => {
    await withCluster(
      [both({ READY_AFTER_MS: '600000' }, async () => await answering(503))],
      async (cluster) => {
        const error = await rejection(cluster.start('api', {}, { timeoutMs: 1000 }))
        expect(error).toMatchObject({ code: 'TK_NOT_READY' })
        expect(cluster.get('api').state).toBe('failed')
        await expect(fetch(cluster.get('api').url)).rejects.toThrow('fetch failed')
      },
      { mode },
    )
  })

  test('H-76 one that never comes up', async () => {
    await withCluster(
      [both({ LISTEN_WHEN: '/no/such/file' }, never)],
      async (cluster) => {
        const error = await rejection(cluster.start('api', {}, { timeoutMs: 300 }))
        expect(error).toMatchObject({ code: 'TK_NOT_READY' })
        await expect(cluster.expectNoLaunch('api', {}, { timeoutMs: 300, acceptHang: true })).resolves.toBeDefined()
        expect(cluster.get('api').state).toBe('exited')
      },
      { mode },
    )
  })

  test('H-76 its end is known to whoever waits for it', async () => {
    await withCluster(
      [both({}, async () => await answering(200))],
      async (cluster) => {
        const api = cluster.get('api')
        await api.start()
        const { exit } = api
        expect(await api.stop()).toMatchObject({ clean: true, escalated: false })
        expect(await exit).toEqual(await api.stop())
        expect(api.state).toBe('exited')
      },
      { mode },
    )
  })
})

describe('server objects (testkit.md A13)', { timeout: 180_000 }, () => {
  test('one that comes after it was given up is closed', async () => {
    let isClosed = false
    let resolve: (server: InlineServer) => void = () => undefined
    const late = async (): Promise<InlineServer> =>
      await new Promise((given) => {
        resolve = given
      })
    await withCluster([{ name: 'late', inline: late }], async (cluster) => {
      await expect(cluster.start('late', {}, { timeoutMs: 50 })).rejects.toMatchObject({ code: 'TK_NOT_READY' })
      resolve({
        close: async () => {
          isClosed = true
        },
      })
      expect(await pollUntil(() => isClosed, { timeoutMs: patientMs })).toBe(true)
      expect(cluster.get('late').state).toBe('failed')
    })
  })

  test('the reason of a rejection is in the error and in what the server said', async () => {
    await withCluster([{ name: 'bad', inline: bad }], async (cluster) => {
      const error = await rejection(cluster.start('bad'))
      expect(error.message).toContain('ended before it was ready: exit code 1: bad configuration')
      expect(
        cluster
          .get('bad')
          .logs()
          .some((line) => line.stream === 'stderr'),
      ).toBe(true)
    })
  })

  test('a oneshot is through, and closed, when its function has resolved', async () => {
    let closed = 0
    const inline = async (): Promise<InlineServer> => ({
      close: async () => {
        closed += 1
      },
    })
    await withCluster([{ name: 'once', launch: 'oneshot', inline }], async (cluster) => {
      expect(await cluster.start('once')).toMatchObject({ exitCode: 0 })
      expect([cluster.get('once').state, closed]).toEqual(['exited', 1])
    })
  })

  test('has the clock of the test process: another one is refused, not ignored', async () => {
    await withCluster([{ name: 'timely', inline: async () => ({ close: async () => undefined }) }], async (cluster) => {
      expect(() => cluster.get('timely').clockSkew(1000)).toThrow(/cannot set the clock of server "timely"/)
      cluster.get('timely').clockSkew(0)
    })
  })

  test('D2 a close that does not return is given up at the deadline', async () => {
    let finish = (): void => undefined
    const close = async (): Promise<void> => {
      await new Promise<void>((resolve) => {
        finish = resolve
      })
    }
    await withCluster([{ name: 'sticky', inline: async () => ({ close }) }], async (cluster) => {
      const server = cluster.get('sticky')
      await server.start()
      const error = await rejection(server.stop({ deadlineMs: 50 }))
      expect(error).toMatchObject({ code: 'TK_STOP_FAILED' })
      finish()
      expect(await server.stop()).toMatchObject({ code: 0 })
    })
  })
})
