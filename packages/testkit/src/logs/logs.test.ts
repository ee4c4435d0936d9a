import {
  appendFileSync,
  closeSync,
  mkdirSync,
  openSync,
  renameSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { monotonicMs, pollUntil } from '../clock.ts'
import { homeDir, removeQuietly } from '../home.ts'
import { httpServer, page, rejection, script, withCluster } from '../testing/fixture-server.ts'
import { patientMs } from '../testing/patience.ts'
import { FileTail } from './file-tail.ts'
import { LineSplitter } from './line-splitter.ts'
import type { LogLine } from './log-line.ts'
import { formatTimeline, mergeTimeline } from './timeline.ts'
import { timestampOf } from './timestamp.ts'

const line = (server: string, at: number, text = ''): LogLine => ({
  at,
  monotonic: at,
  server,
  stream: 'stdout',
  text,
  run: 1,
})
const idle = 'setInterval(() => 0, 1000)'

describe('logs (testkit.md A9)', { timeout: 180_000 }, () => {
  test('H-59 the timeline merges three servers and the kit’s own events, to the millisecond', async () => {
    const servers = ['c', 'a', 'b'].map((name) => httpServer({ name }))
    await withCluster(servers, async (cluster) => {
      cluster.note('the test begins')
      await cluster.startAll()
      for (const name of ['a', 'b', 'c', 'a']) {
        const since = monotonicMs()
        await page(`${cluster.get(name).url}/pid`)
        await cluster.get(name).waitForLog(/GET \/pid/, { sinceMonotonic: since })
      }
      const timeline = cluster.timeline()
      const texts = timeline.map((entry) => entry.text)
      const asked = timeline.filter((entry) => entry.text === 'GET /pid')
      expect(asked.map((entry) => entry.server)).toEqual(['a', 'b', 'c', 'a'])
      expect(asked.map((entry) => entry.at)).toEqual(asked.map((entry) => entry.at).sort((x, y) => x - y))
      expect(texts[0]).toBe('the test begins')
      for (const wanted of [/^start pid \d+/, /^ready after/])
        expect(texts.filter((text) => wanted.test(text))).toHaveLength(3)
      expect(cluster.timelineText()).toMatch(/^\+\d+\.\d{3}s testkit\/harness \| the test begins$/m)
    })
  })

  test('a merged timeline is sorted and keeps the order within a stream', () => {
    const stream = fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 20 })
    fc.assert(
      fc.property(fc.array(stream, { maxLength: 4 }), (streams) => {
        const merged = mergeTimeline(
          streams.map((times, server) => times.map((at, index) => line(String(server), at, String(index)))),
        )
        expect(merged).toHaveLength(streams.flat().length)
        for (const server of streams.keys()) {
          const own = merged.filter((entry) => entry.server === String(server)).map((entry) => Number(entry.text))
          expect(own).toEqual([...own].sort((a, b) => a - b))
        }
        const rising = mergeTimeline(
          streams.map((times, server) => [...times].sort((a, b) => a - b).map((at) => line(String(server), at))),
        )
        const moments = rising.map((entry) => entry.at)
        expect(moments).toEqual([...moments].sort((a, b) => a - b))
      }),
    )
  })

  test('colours are there for people only', () => {
    const text = formatTimeline([line('api', 1500, 'hello')], { startAt: 0, colour: true })
    expect(stripVTControlCharacters(text)).toBe('+1.500s api/stdout | hello')
    expect(text).not.toBe(stripVTControlCharacters(text))
  })

  test('H-60 a rotated or truncated log file is followed', async () => {
    const rotating = script(
      `const fs = require('fs'); const path = process.env.LOG
       fs.appendFileSync(path, '2026-11-21T10:00:00.500Z one\\n')
       process.on('SIGHUP', () => { fs.renameSync(path, path + '.1'); fs.appendFileSync(path, 'two\\n') }); console.log('up'); ${idle}`,
      {
        logs: [{ name: 'app.log', path: 'app.log' }],
        env: ({ logDir }) => ({ LOG: join(logDir, 'app.log') }),
        ready: { log: /up/ },
        reload: { signal: 'SIGHUP', done: { log: /^two$/, stream: 'app.log' } },
      },
    )
    await withCluster([rotating], async (cluster) => {
      await cluster.startAll()
      await cluster.get('script').reload()
      const lines = cluster
        .get('script')
        .logs()
        .filter((entry) => entry.stream === 'app.log')
      expect(lines.map((entry) => entry.text)).toEqual(['2026-11-21T10:00:00.500Z one', 'two'])
      expect(lines[0]?.at).toBe(Date.parse('2026-11-21T10:00:00.500Z'))
      const path = join(cluster.dir, 'own.log')
      const seen: string[] = []
      const tail = new FileTail(
        path,
        (text) => seen.push(text),
        (reason) => seen.push(reason),
      )
      writeFileSync(path, 'first line\n')
      tail.poll()
      truncateSync(path)
      appendFileSync(path, 'a\n')
      tail.poll()
      renameSync(path, `${path}.1`)
      appendFileSync(`${path}.1`, 'late\n')
      writeFileSync(path, 'new\n')
      expect(await pollUntil(() => seen.includes('new'), { timeoutMs: patientMs })).toBe(true)
      expect(seen).toEqual(['first line', 'a', 'late', 'new'])
      tail.close()
    })
  })

  test('a full disk is told once, and what the server says is heard all the same', async (ctx) => {
    ctx.skip(process.platform !== 'linux', 'there is no /dev/full')
    const chatty = script("for (const line of ['one', 'two', 'three']) require('fs').writeSync(1, line + '\\n')", {
      launch: 'oneshot',
    })
    await withCluster([chatty], async (cluster) => {
      const server = cluster.get('script')
      symlinkSync('/dev/full', join(server.folders.logDir, 'stdout.log'))
      for (const _start of [1, 2]) expect((await server.start()).stdout).toBe('one\ntwo\nthree\n')
      const told = server.logs().filter(({ text }) => text.startsWith('stdout.log is not complete: ENOSPC'))
      expect(told).toMatchObject([{ stream: 'harness' }])
    })
  })

  test('a log file that cannot be read is told once, and read when it can', async () => {
    const server = script(idle, { logs: [{ name: 'app', path: 'app.log' }] })
    await withCluster([server], async (cluster) => {
      const { name, folders } = cluster.get('script')
      const path = join(folders.logDir, 'app.log')
      symlinkSync(path, path)
      const texts = (): string[] => cluster.timeline().flatMap((entry) => (entry.server === name ? [entry.text] : []))
      // Found by the timer, or by whoever looks before it.
      for (let look = 0; look < 3; look++)
        expect(texts()).toEqual([expect.stringContaining('log app cannot be read: ELOOP')])
      unlinkSync(path)
      writeFileSync(path, 'a line\n')
      expect(texts()[1]).toBe('a line')
    })
  })

  test('when the successor of a log file cannot be read, no other file is read in its place', async () => {
    const folder = join(homeDir('own-tests'), `tail-${process.pid}`)
    mkdirSync(folder)
    const path = join(folder, 'app.log')
    const said: string[] = []
    const say = (text: string): number => said.push(text)
    const tail = new FileTail(path, say, say)
    writeFileSync(path, 'first\n')
    tail.poll()
    renameSync(path, `${path}.1`)
    // There, but not to be opened.
    const socket = createServer().listen(path)
    await once(socket, 'listening')
    tail.poll()
    writeFileSync(join(folder, 'other'), 'the line of another file\n')
    const other = openSync(join(folder, 'other'), 'r')
    tail.poll()
    tail.close()
    expect(said).toEqual(['first', expect.stringContaining('ENXIO')])
    closeSync(other)
    socket.close()
    removeQuietly(folder)
  })

  test('H-61 a forbidden line fails with the line quoted, an allowed one does not', async () => {
    const loud = script("console.log('ERROR disk is on fire'); console.log('ERROR expected')", { launch: 'oneshot' })
    await withCluster([loud], async (cluster) => {
      await cluster.start('script')
      const error = await rejection(
        Promise.resolve().then(() => cluster.expectCleanLogs({ forbid: [/ERROR/], allow: [/expected/] })),
      )
      expect(error).toMatchObject({ code: 'TK_DIRTY_LOGS' })
      expect(error.message).toContain('1 forbidden log lines\nscript/stdout | ERROR disk is on fire')
      cluster.expectCleanLogs({ forbid: [/WARN/] })
    })
  })

  test.each([
    ['{"level":30,"time":1700000000123,"msg":"x"}', 1_700_000_000_123],
    ['{"time":"2026-11-21T10:00:00.250Z"}', Date.parse('2026-11-21T10:00:00.250Z')],
    ['2026-11-21T10:00:00.250+01:00 x', Date.parse('2026-11-21T09:00:00.250Z')],
    ['2026-11-21 10:00:00.250 x', Date.parse('2026-11-21T10:00:00.250')],
    ['2026-11-21 10:00:00,25 x', Date.parse('2026-11-21T10:00:00.250')],
    ['Nov  3 04:05:06 host x', Date.parse('Nov 3 2026 04:05:06')],
    ['1700000000.5 x', 1_700_000_000_500],
    ['1700000000123 x', 1_700_000_000_123],
    ['no time', undefined],
    ['{"half', undefined],
  ])('the time of %s is understood', (text, time) => {
    expect(timestampOf(text, new Date('2026-11-21T00:00:00Z'))).toBe(time)
  })

  test('lines come out as they went in, however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string().filter((text) => !text.includes('\n'))),
        fc.integer({ min: 1, max: 7 }),
        (lines, size) => {
          const out: string[] = []
          const splitter = new LineSplitter((text) => out.push(text))
          const bytes = Buffer.from(lines.map((text) => `${text}\n`).join(''))
          for (let at = 0; at < bytes.length; at += size) splitter.write(bytes.subarray(at, at + size))
          splitter.end()
          // Half of a surrogate pair is not text; it becomes the replacement character in any encoder.
          expect(out).toEqual(lines.map((text) => Buffer.from(text).toString()))
        },
      ),
    )
  })
})
