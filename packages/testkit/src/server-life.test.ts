import { describe, expect, test } from 'vitest'
import { pollUntil } from './clock.ts'
import { findByEnvironment, groupMembers, identityOf, isAlive, sendSignal } from './process/process-table.ts'
import { httpServer, page, rejection, script, withCluster } from './testing/fixture-server.ts'
import { patientMs } from './testing/patience.ts'

const idle = 'setInterval(() => 0, 1000)'

/** Hangs, or is ready at once: as its configuration says. */
const moody = script(`console.log('begun'); if (process.env.HANG !== 'yes') console.log('up'); ${idle}`, {
  config: { hang: 'yes' },
  env: ({ config }) => ({ HANG: String(config['hang']) }),
  ready: { log: /^up$/ },
})

/** Starts a member of its own group that has no marker, and says its number. */
const withMember = `
  const { pid } = require('child_process').spawn('env', ['-i', '/bin/sleep', '300'], { stdio: 'ignore' })
  console.log('member ' + pid); ${idle}`

describe('one life after the other (testkit.md A3, A5)', { timeout: 180_000 }, () => {
  test.each(['restart', 'stop and start', 'kill and start', 'stop and start with retries'])(
    'a start that was ended does not touch the next one: %s',
    async (way) => {
      await withCluster([moody], async (cluster) => {
        const server = cluster.get('script')
        const first = rejection(server.start({ hang: 'yes' }, { retries: 5, retryOn: 'any', timeoutMs: 600_000 }))
        await server.waitForLog(/begun/, { timeoutMs: patientMs })
        if (way === 'restart') await server.restart({ hang: 'no' })
        else {
          if (way === 'kill and start') await server.kill()
          else await server.stop()
          if (way === 'stop and start with retries')
            await cluster.startWithRetry('script', { over: { hang: 'no' }, retries: 3, retryOn: 'any' })
          else await server.start({ hang: 'no' })
        }
        const { pid } = server
        expect((await first).message).toContain('ended before it was ready')
        expect([server.state, server.pid, server.attempts]).toEqual(['ready', pid, 1])
        expect(findByEnvironment([cluster.marker]).map((entry) => entry.pid)).toEqual([pid])
      })
    },
  )

  test('a stop returns when the start that it ended has returned', async () => {
    await withCluster([moody], async (cluster) => {
      const server = cluster.get('script')
      let hasReturned = false
      const first = rejection(server.start({}, { timeoutMs: 600_000 })).finally(() => {
        hasReturned = true
      })
      await server.waitForLog(/begun/, { timeoutMs: patientMs })
      await server.stop()
      await Promise.resolve()
      expect([server.state, server.attempts]).toEqual(['exited', 1])
      await first
      expect(hasReturned).toBe(true)
      expect(server.failedAttempts).toHaveLength(1)
    })
  })

  test('a stop ends a start that still prepares, and the next start prepares again', async () => {
    let calls = 0
    const slow = script(idle, {
      prepare: async () => {
        calls += 1
        if (calls === 1) await new Promise(() => undefined)
      },
    })
    await withCluster([slow], async (cluster) => {
      const server = cluster.get('script')
      const first = rejection(server.start())
      expect(await pollUntil(() => calls === 1, { timeoutMs: patientMs })).toBe(true)
      expect(await server.stop()).toMatchObject({ code: null, clean: true })
      expect((await first).message).toContain('was cancelled')
      expect(server.state).toBe('exited')
      await server.start()
      expect([server.state, calls]).toEqual(['ready', 2])
    })
  })

  test('A5.3 what a leader that ended by itself left behind is gone after a stop', async () => {
    const leader = script(withMember, { ready: { log: /^member/ } })
    await withCluster([leader], async (cluster) => {
      const server = cluster.get('script')
      await server.start()
      const line = await server.waitForLog(/^member \d+$/, { timeoutMs: patientMs })
      const member = identityOf(Number(line.text.split(' ')[1]))
      sendSignal(server.pid ?? 0, 'SIGKILL')
      expect(await server.exit).toMatchObject({ signal: 'SIGKILL' })
      expect(isAlive(member)).toBe(true)
      expect(await server.stop()).toMatchObject({ signal: 'SIGKILL' })
      expect(await pollUntil(() => !isAlive(member), { timeoutMs: patientMs })).toBe(true)
    })
  })

  test('A5.3 a worker of a leader that crashed does not keep the port from the next start', async () => {
    const worker = "require('http').createServer((q, r) => r.end('worker of ' + process.env.GEN)).listen({ fd: 3 })"
    const prefork = script(
      `const fd = Number(/http:(\\d+)/.exec(process.env.MAINSTAY_LISTEN_FDS)[1])
      require('child_process').spawn(process.execPath, ['-e', ${JSON.stringify(worker)}], { stdio: ['ignore', 'ignore', 'ignore', fd] })
      ${idle}`,
      {
        config: { gen: '1' },
        env: ({ config }) => ({ GEN: String(config['gen']) }),
        listen: [{ name: 'http', samePort: 'require' }],
        ready: { http: '/' },
      },
    )
    await withCluster([prefork], async (cluster) => {
      const server = cluster.get('script')
      await server.start()
      const { port } = server
      sendSignal(server.pid ?? 0, 'SIGKILL')
      await server.exit
      // Its worker serves on; a start by itself, without a stop, ends it.
      expect(await page(server.url)).toBe('worker of 1')
      await server.start({ gen: '2' })
      expect([await page(server.url), server.port]).toEqual(['worker of 2', port])
    })
  })

  test('H-71 a pause and a resume are of the whole group', async (ctx) => {
    ctx.skip(process.platform !== 'linux', 'states are read from /proc')
    await withCluster([httpServer()], async (cluster) => {
      const api = cluster.get('api')
      await api.start()
      const child = Number(await page(`${api.url}/group-child`))
      const states = (): string[] => groupMembers(api.pid ?? 0).map((entry) => entry.state)
      await api.pause()
      expect([states(), groupMembers(api.pid ?? 0).map((entry) => entry.pid)]).toEqual([
        ['T', 'T'],
        expect.arrayContaining([api.pid, child]),
      ])
      await api.resume()
      expect(states()).toHaveLength(2)
      expect(states()).not.toContain('T')
      expect(api.state).toBe('ready')
    })
  })

  test.each(['stop', 'kill'] as const)(
    'a pause beside a %s leaves an ended server that can start again',
    async (end) => {
      await withCluster([httpServer()], async (cluster) => {
        const api = cluster.get('api')
        await api.start()
        const paused = rejection(api.pause())
        await api[end]()
        expect((await paused).message).toContain('was ended while it was to pause')
        expect([api.state, api.pid]).toEqual(['exited', undefined])
        await api.start()
        expect(api.state).toBe('ready')
      })
    },
  )

  test('a server that is dead cannot be paused', async () => {
    await withCluster([httpServer()], async (cluster) => {
      const api = cluster.get('api')
      await api.start()
      sendSignal(api.pid ?? 0, 'SIGKILL')
      await expect(api.pause()).rejects.toMatchObject({ code: 'TK_STATE' })
      expect(await api.exit).toMatchObject({ signal: 'SIGKILL' })
      expect(api.state).toBe('exited')
    })
  })

  test('two pauses at once are one, and so are a stop and a kill', async () => {
    await withCluster([httpServer()], async (cluster) => {
      const api = cluster.get('api')
      await api.start()
      await Promise.all([api.pause(), api.pause()])
      expect(api.state).toBe('paused')
      await api.resume()
      const [stopped, killed] = await Promise.all([api.stop(), api.kill()])
      expect(stopped).toMatchObject({ clean: true, escalated: false })
      expect(killed).toEqual(stopped)
      expect(api.state).toBe('exited')
    })
  })

  test('a start beside a stop of what crashed, and a second start, are refused or wait for their turn', async () => {
    await withCluster([httpServer()], async (cluster) => {
      const api = cluster.get('api')
      await api.start()
      sendSignal(api.pid ?? 0, 'SIGKILL')
      await api.exit
      const [stopped, started, refused] = await Promise.allSettled([api.stop(), api.start(), api.start()])
      expect([stopped.status, started.status, refused.status]).toEqual(['fulfilled', 'fulfilled', 'rejected'])
      expect([api.state, await page(`${api.url}/healthz`)]).toEqual(['ready', 'ok'])
    })
  })

  test('a working folder that is missing is said so, and nothing runs', async () => {
    await withCluster([script(idle, { cwd: '/no/such/folder' })], async (cluster) => {
      const server = cluster.get('script')
      const error = await rejection(server.start())
      expect(error).toMatchObject({ code: 'TK_CANNOT_EXECUTE' })
      expect(error.message).toMatch(/cannot execute \S*node: its working folder \/no\/such\/folder is not a folder/)
      expect([server.state, server.pid]).toEqual(['failed', undefined])
      expect((await server.diagnostics()).findings['children']).toBeUndefined()
      expect(await server.stop()).toMatchObject({ clean: true })
    })
  })
})

describe('every wait is bounded (testkit.md D2)', { timeout: 180_000 }, () => {
  const never = async (): Promise<never> => await new Promise(() => undefined)

  test.each([
    ['prepare', { prepare: never }],
    ['afterReady', { afterReady: never }],
  ])('D2 the time of a start bounds %s', async (word, part) => {
    await withCluster([script(idle, part)], async (cluster) => {
      const server = cluster.get('script')
      const error = await rejection(server.start({}, { timeoutMs: 200 }))
      expect(error).toMatchObject({ code: 'TK_NOT_READY' })
      expect(error.message).toContain(`${word} was not done within 200 ms`)
      expect([server.state, server.pid]).toEqual(['failed', undefined])
    })
  })

  test('D2 the time of a spec bounds prepare too', async () => {
    await withCluster([script(idle, { prepare: never, prepareTimeoutMs: 50 })], async (cluster) => {
      await expect(cluster.start('script')).rejects.toThrow('prepare was not done within 50 ms')
    })
  })

  test('D2 the time of a start bounds a migration', async () => {
    let finish = (): void => undefined
    const migrate = async (): Promise<void> => {
      await new Promise<void>((resolve) => {
        finish = resolve
      })
    }
    await withCluster([script(idle, { database: { engine: 'sqlite', migrate } })], async (cluster) => {
      const error = await rejection(cluster.start('script', {}, { timeoutMs: 200 }))
      expect(error.message).toContain('its database was not done within 200 ms')
      finish()
    })
  })
})
