import { Cluster, type ManagedServer } from '@mainstay/testkit'
import { serveSpec } from 'mainstay/testkit'
import { chromium, type Browser, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test, type TestContext } from 'vitest'

import { SseParser } from '../../packages/mainstay/src/client/stream/sse-parser.ts'
import { Reporter } from '../e2e/support/event-nodes.ts'
import { startProgram } from '../support/managed-process.ts'
import { findProgram, need, needThat } from '../support/need.ts'
import { waitUntil } from './lab/wait-until.ts'
import type { Shown } from './pages/shown.ts'
import { moduleServer, type ModuleServer } from './support/module-server.ts'

const PATIENCE = { timeoutMs: 60_000, pollMs: 100 }

/** As quiet and as poor as a browser can be. */
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

let browser: Browser | undefined
let modules: ModuleServer
let cluster: Cluster
let server: ManagedServer
const executablePath = findProgram({ program: 'chromium' })

beforeAll(async () => {
  if (executablePath === undefined) return
  modules = await moduleServer()
  cluster = await Cluster.create({
    name: 'events-browser',
    servers: [
      serveSpec({
        config: {
          compute: { simulated_hosts: 1, simulated_guests: 0 },
          log: { level: 'warn' },
          events: { stream: { allowed_origins: [modules.origin], reconnect_spread_ms: 200 } },
        },
      }),
    ],
  })
  await cluster.startAll()
  server = cluster.get('mainstay')
  browser = await chromium.launch({ executablePath, args: FLAGS })
}, 120_000)

afterAll(async () => {
  await browser?.close()
  await cluster?.dispose()
  await modules?.[Symbol.asyncDispose]()
}, 60_000)

function needChromium(ctx: TestContext): Browser {
  needThat(ctx, browser !== undefined, 'chromium not found: apt-get install chromium')
  return browser!
}

/** Opens a page that runs one of our scripts. */
async function openPage(
  ctx: TestContext,
  from: ModuleServer,
  script: string,
  query: Readonly<Record<string, string>> = {},
): Promise<Page> {
  const page = await needChromium(ctx).newPage()
  await page.goto(from.page(script, { endpoint: server.url, ...query }))
  return page
}

/** What a page has been shown so far. */
async function shownBy(page: Page): Promise<Shown> {
  return await page.evaluate(() => (globalThis as unknown as { shown: Shown }).shown)
}

/** What a program has printed of a text/event-stream, as far as it is complete: the kill may have cut the last event. */
function messagesOf(lines: readonly string[]): { seq: number; id: string }[] {
  const messages = new SseParser().push(`${lines.join('\n')}\n`)
  return messages.flatMap(({ data, id }) => {
    const { seq } = JSON.parse(data) as { seq?: number }
    return seq === undefined ? [] : [{ seq, id }]
  })
}

describe('browsers and curl as clients of the stream', { timeout: 180_000 }, () => {
  test('E-203 E-218 R40 two pages, an EventSource and curl are shown every event once, over a kill of the server', async (ctx) => {
    const curl = need(ctx, { program: 'curl', package: 'curl' })
    const pages = [
      await openPage(ctx, modules, 'follow-events', { transport: 'auto' }),
      await openPage(ctx, modules, 'follow-events', { transport: 'sse' }),
      await openPage(ctx, modules, 'listen-to-events'),
    ] as const
    await using reporter = new Reporter(() => [server.url])
    await using before = await startProgram([curl, '-sN', `${server.url}/v1/events/sse?since=earliest`])
    await reporter.more(30)
    await waitUntil(() => messagesOf(before.lines()).length >= 20, { ...PATIENCE, what: 'lines of curl' })
    await server.kill()
    await before.stop('SIGINT')
    await server.start()
    await reporter.more(30)
    // curl does not come back by itself: another one goes on with the cursor that the first one printed last.
    const last = messagesOf(before.lines()).at(-1)!.id
    const resumed = [curl, '-sN', '-H', `Last-Event-ID: ${last}`, `${server.url}/v1/events/sse`]
    await using after = await startProgram(resumed)
    await reporter.stop()
    const newest = await fetch(`${server.url}/v1/events/history?order=desc&limit=1`)
    const { head } = (await newest.json()) as { head: number }
    const everything = Array.from({ length: head }, (_, index) => index + 1)
    for (const page of pages) {
      await waitUntil(async () => (await shownBy(page)).seqs.length >= head, { ...PATIENCE, what: 'all events' })
      expect((await shownBy(page)).seqs).toEqual(everything)
    }
    const curled = (): number[] => [...messagesOf(before.lines()), ...messagesOf(after.lines())].map(({ seq }) => seq)
    await waitUntil(() => curled().length >= head, { ...PATIENCE, what: 'all events in curl' })
    expect(curled()).toEqual(everything)
    expect((await shownBy(pages[0])).states).toContain('open websocket')
    expect((await shownBy(pages[1])).states).toContain('open sse')
    for (const page of pages) await page.close()
  })

  test('E-213 a page of another origin gets nothing, by neither way', async (ctx) => {
    await using stranger = await moduleServer()
    const page = await openPage(ctx, stranger, 'follow-events')
    const states = async (): Promise<readonly string[]> => (await shownBy(page)).states
    await waitUntil(async () => (await states()).includes('waiting'), { ...PATIENCE, what: 'it to be refused' })
    expect(await states()).toEqual(expect.arrayContaining(['connecting websocket', 'connecting sse']))
    expect((await states()).filter((state) => state.startsWith('open'))).toEqual([])
    expect((await shownBy(page)).seqs).toEqual([])
    await page.close()
  })
})
