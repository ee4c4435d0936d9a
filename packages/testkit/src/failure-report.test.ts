import { stripVTControlCharacters } from 'node:util'
import { describe, expect, test, vi } from 'vitest'
import { failureText, print, showsColours } from './failure-report.ts'
import { Cluster } from './cluster.ts'
import { httpServer, script, withCluster } from './testing/fixture-server.ts'

const ended = { failed: true, keptDir: '/kept/here', warnings: ['slow'] }

describe('what is told of a failing test (testkit.md A9)', () => {
  test.each([
    // environment, a terminal → colours
    [{}, true, true],
    [{}, false, false],
    [{ TERM: 'dumb' }, true, false],
    [{ FORCE_TTY: 'true' }, false, true],
    [{ FORCE_TTY: '' }, false, false],
    [{ FORCE_COLOR: '1' }, false, true],
    [{ FORCE_COLOR: '0' }, true, false],
    [{ NO_COLOR: '1', FORCE_COLOR: '1' }, true, false],
    [{ NO_COLOR: '' }, true, true],
  ])('colours with %j on a terminal (%s): %s', (environment, isTerminal, colours) => {
    expect(showsColours(environment, isTerminal)).toBe(colours)
  })

  test('the last 200 lines are shown, and where the rest lies', async () => {
    await withCluster([script('')], async (cluster) => {
      for (let line = 1; line <= 205; line++) cluster.note(`line ${line} of it`)
      const text = failureText(cluster, ended)
      expect(text).toContain('… 5 earlier lines in /kept/here/timeline.log')
      expect(text).not.toContain('line 5 of it')
      expect(text.split('\n').at(-1)).toBe('--- testkit: kept in /kept/here')
      expect(text).toMatch(/line 6 of it\n[^]*line 205 of it\nwarning: slow\n/)
    })
  })

  test('people see it in colours, what is attached has none', async () => {
    await withCluster([script('')], async (cluster) => {
      cluster.note('a step')
      vi.stubEnv('NO_COLOR', undefined)
      vi.stubEnv('FORCE_COLOR', '1')
      const written: string[] = []
      const write = vi.spyOn(process.stderr, 'write').mockImplementation((text) => written.push(String(text)) > 0)
      try {
        print(cluster, ended)
      } finally {
        write.mockRestore()
        vi.unstubAllEnvs()
      }
      const plain = failureText(cluster, ended)
      expect(stripVTControlCharacters(plain)).toBe(plain)
      expect(written.join('')).toContain('\u001B[')
      expect(stripVTControlCharacters(written.join(''))).toBe(`${plain}\n`)
    })
  })

  test('diagnostics of all running servers are in it, also of those that were ready', async () => {
    const servers = [httpServer(), httpServer({ name: 'other' }), script('', { launch: 'oneshot' })]
    const cluster = await Cluster.create({ name: 'red', keep: 'never', servers })
    await cluster.startAll()
    const { timeline } = await cluster.dispose({ failed: true })
    for (const name of ['api', 'other'])
      expect(timeline).toMatch(new RegExp(`diagnostics of ${name}:\n[^]*\\[process\\] pid`))
    expect(timeline).not.toContain('diagnostics of script:')
    expect(timeline).not.toContain('[output]')
  })
})
