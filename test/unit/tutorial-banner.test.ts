import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'

import { afterAll, beforeAll, expect, test, vi } from 'vitest'

import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { runAgent, serve } from '../../packages/mainstay/src/server/index.ts'

// It starts the whole program, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 })

const PAGE = new URL('../../docs/tutorial/first-real-machine.md', import.meta.url)

let directory: string
let page: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mainstay-tutorial-'))
  page = await readFile(PAGE, 'utf8')
})

afterAll(async () => {
  await rm(directory, { recursive: true })
})

/** The indented block of the page that begins so, as it is printed. */
function block(begins: string): string[] {
  const lines = page.split('\n').map((line) => (line.startsWith('    ') ? line.slice(4) : null))
  const first = lines.findIndex((line) => line?.startsWith(begins))
  expect(first).toBeGreaterThan(0)
  const end = lines.findIndex((line, at) => at > first && line === null)
  return lines.slice(first, end).map((line) => line ?? '')
}

test('the tutorial shows the banner that the server prints', async () => {
  const config = join(directory, 'mainstay.toml')
  const socket = join(directory, 'libvirt-sock')
  const text = block('[[compute.libvirt_hosts]]').join('\n')
  await writeFile(config, text.replace('/run/libvirt/libvirt-sock', socket))
  const running = await serve({
    signal: new AbortController().signal,
    clock: new SystemClock(),
    config,
    env: {},
    set: ['log.level=silent'],
    dataDir: join(directory, 'tutorial-data'),
    listen: '127.0.0.1:0',
    compute: 'libvirt',
    insecureNoAuth: false,
  })
  try {
    const printed = running.banner.map((line) =>
      line.replace(directory, '…').replace(/127\.0\.0\.1:\d+/, '127.0.0.1:15868'),
    )
    expect(block('Mainstay serves')).toEqual(printed)
  } finally {
    await running.stop()
  }
})

test('the tutorial shows the banner that the agent prints', async () => {
  const config = join(directory, 'agent.conf')
  await writeFile(config, '[metrics]\nlisten = 127.0.0.1:0\n')
  const running = await runAgent({
    signal: new AbortController().signal,
    clock: new SystemClock(),
    config,
    env: {},
    set: [],
    dataDir: join(relative(process.cwd(), directory), 'tutorial-agent'),
    endpoint: 'http://127.0.0.1:15868',
    monitors: ['instance'],
    hostname: 'kvm-1',
    libvirtSocket: join(directory, 'libvirt-sock'),
  })
  try {
    const printed = running.banner.map((line) =>
      line.replace(`${relative(process.cwd(), directory)}/`, '').replace(/(health +127\.0\.0\.1):\d+/, '$1:9710'),
    )
    expect(block('Mainstay watches')).toEqual(printed)
  } finally {
    await running.stop()
  }
})
