import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { TestkitError, rewriteError } from '../errors.ts'
import { runProgram } from '../process/run.ts'
import { StartAttempts } from '../start-attempts.ts'
import { rejection, script, withCluster } from '../testing/fixture-server.ts'
import { KnownSecrets } from './known-secrets.ts'

const first = 'first-token-0001'
const second = 'second-token-0002'

/** Says its token, at its start and when it is told to reload, without a name beside it. */
const talkative = script(
  `const { readFileSync } = require('node:fs')
  const say = (word) => console.log(word + ' <' + readFileSync(process.argv[1], 'utf8') + '>')
  process.on('SIGHUP', () => say('again'))
  setInterval(() => {}, 1000)
  say('up')`,
  {
    config: { token: first },
    files: [{ name: 'token', content: '%(token)s' }],
    ready: { log: /^up/ },
    reload: { signal: 'SIGHUP', done: { log: /^again/ } },
  },
)
const atItsFile = { ...talkative, command: [...(talkative.command as string[]), '%(etc)s/token'] }
const failing = {
  command: ['sh', '-c', 'echo "using <$0>"; exit 3', '%(token)s'],
  config: { token: first },
  ready: { log: /never/ },
}

describe('secrets that were ever given to a server (testkit.md A3.1)', () => {
  test('what an environment says of a switch is no secret', () => {
    const known = new KnownSecrets()
    known.learnEnvironment({ USE_TOKENS: 'false', API_TOKEN: first })
    expect(known.hide(`retry = false, <${first}>`)).toBe('retry = false, <***>')
  })

  test('neither is what an environment says of places and times', () => {
    const known = new KnownSecrets()
    known.learnEnvironment({
      OS_KEYSTONE_CONFIG_DIR: 'etcetera',
      KEYSTONE_HOST: '127.0.0.1',
      TOKEN_TTL: '3600',
      TLS_KEY: '/root/tls',
      appSecretKey: first,
    })
    const text = 'configuration in etcetera, http://127.0.0.1:3600/, /root/tls'
    expect(known.hide(`${text} <${first}>`)).toBe(`${text} <***>`)
  })

  test('the places of an error stay, whatever the secret is', () => {
    const error = new TestkitError('TK_START_FAILED', 'it said known-secrets')
    rewriteError(error, (text) => text.replaceAll('known-secrets', '***'))
    expect(error.stack).toContain('it said ***')
    expect(error.stack).toContain('known-secrets.test.ts')
  })

  test('tokens of a reload and of earlier starts are hidden in the timeline', async () => {
    await withCluster([atItsFile], async (cluster) => {
      await cluster.startAll()
      const server = cluster.get('script')
      await server.reload({ token: second })
      await server.restart({ token: 'third-token-0003' })
      await server.restart({})
      expect(cluster.timelineText()).toContain('again <***>')
      expect(cluster.timelineText()).not.toMatch(/-token-/)
    })
  })

  test.each([
    ['one try', 1],
    ['several tries', 2],
  ])('a start that failed after %s tells no secret', async (_what, retries) => {
    await withCluster([script('', failing)], async (cluster) => {
      const error = await rejection(cluster.startWithRetry('script', { retries, retryOn: 'any' }))
      expect(error).toMatchObject({ code: 'TK_START_FAILED', message: expect.stringContaining('using <***>') })
      expect(inspect(error, { depth: 9 })).not.toContain(first)
      expect(inspect(cluster.get('script').failedAttempts)).not.toContain(first)
    })
  })

  test('neither does a tool that failed on the way to the start', async () => {
    const prepare = async (): Promise<void> => void (await runProgram(['sh', '-c', 'echo "<$0>"; exit 3', first]))
    await withCluster([script('', { ...failing, prepare })], async (cluster) => {
      const error = await rejection(cluster.start('script'))
      expect(error).toMatchObject({ code: 'TK_EXEC_FAILED', message: expect.stringContaining('<***>') })
      expect(inspect(error)).not.toContain(first)
    })
    const migrate = ['sh', '-c', 'echo postgres://user:of-the-url@host; exit 3']
    const database = { engine: 'sqlite', template: false, migrate } as const
    await withCluster([script('', { database })], async (cluster) => {
      const error = await rejection(cluster.start('script'))
      expect(error).toMatchObject({ code: 'TK_DATABASE_FAILED', message: expect.stringContaining('user:***@host') })
      expect(inspect(error, { depth: 9 })).not.toContain('of-the-url')
    })
  })

  test('what a try is told with is hidden, whose command it ever was', () => {
    const attempts = new StartAttempts('api', [], {})
    const hide = (text: string): string => text.replaceAll(first, '***')
    attempts.note(new TestkitError('TK_PORT_TAKEN', `run <${first}>`), { ports: {}, durationMs: 1, log: '', hide })
    expect(attempts.failed[0]?.cause).toBe('port clash: run <***>')
  })

  test('an environment is given too', async () => {
    const speaking = { command: ['sh', '-c', 'echo "using <$API_TOKEN>"; exit 3'], env: { API_TOKEN: first } }
    await withCluster([script('', { ...speaking, launch: 'oneshot' })], async (cluster) => {
      const { message } = await rejection(cluster.start('script'))
      for (const text of [message, cluster.timelineText()]) {
        expect(text).toContain('using <***>')
        expect(text).not.toContain(first)
      }
    })
  })

  test('errors and diagnostics of a server that runs tell no secret', async () => {
    await withCluster([atItsFile], async (cluster) => {
      await cluster.startAll()
      const server = cluster.get('script')
      const { findings, text } = await server.diagnostics()
      for (const said of [findings['output'], text]) expect(said).toContain('up <***>')
      expect(inspect(findings)).not.toContain(first)
      const unheard = await rejection(server.waitForLog(/never said/, { timeoutMs: 1 }))
      let dirty: unknown
      try {
        cluster.expectCleanLogs({ forbid: [/^up/] })
      } catch (error) {
        dirty = error
      }
      const unclean = await rejection(server.stop({ signal: 'SIGURG', graceMs: 1, killAfterMs: 2, strict: true }))
      expect([unheard.code, unclean.code]).toEqual(['TK_NOT_READY', 'TK_STOP_NOT_CLEAN'])
      for (const error of [unheard, dirty, unclean]) {
        expect(inspect(error)).toContain('up <***>')
        expect(inspect(error)).not.toContain(first)
      }
    })
  })
})
