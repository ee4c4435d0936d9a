import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { afterAll, beforeAll, describe, expect, test } from 'vitest'

import { SystemClock } from '../../packages/mainstay/src/core/clock.ts'
import { silentLogger } from '../../packages/mainstay/src/core/logging.ts'
import { enqueueWorkflow, findWorkflow, workflowHistory } from '../../packages/mainstay/src/journal/index.ts'
import { PostgresStore } from '../../packages/mainstay/src/store/index.ts'
import { needPostgres, PrivatePostgres } from './support/private-postgres.ts'

const PROGRAM = fileURLToPath(new URL('support/engine-process.ts', import.meta.url))
const LEASE_MS = 1000
const PATIENCE_MS = 20_000

/** An engine in a process of its own whose output can be waited for. */
class EngineProcess implements AsyncDisposable {
  readonly child: ChildProcess
  readonly #exited: Promise<unknown>
  #output = ''

  constructor(url: string, effects: string) {
    this.child = spawn(process.execPath, [PROGRAM, url, effects, String(LEASE_MS)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.#exited = once(this.child, 'exit')
    this.child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      this.#output += text
      this.child.emit('output')
    })
  }

  async says(pattern: RegExp): Promise<string> {
    const signal = AbortSignal.timeout(PATIENCE_MS)
    for (;;) {
      const match = pattern.exec(this.#output)
      if (match !== null) return match[0]
      await once(this.child, 'output', { signal })
    }
  }

  get output(): string {
    return this.#output
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill('SIGCONT')
      this.child.kill('SIGKILL')
    }
    await this.#exited
  }
}

describe('several engines on one PostgreSQL', () => {
  let postgres: PrivatePostgres | undefined
  let directory: string

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'mainstay-takeover-'))
  })

  afterAll(async () => {
    await postgres?.[Symbol.asyncDispose]()
    await rm(directory, { recursive: true, force: true })
  })

  async function setUp(bin: string, name: string): Promise<{ url: string; store: PostgresStore; effects: string }> {
    postgres ??= await PrivatePostgres.start(bin)
    const url = await postgres.createDatabase()
    const store = PostgresStore.open({ url, clock: new SystemClock(), logger: silentLogger() })
    await store.migrate()
    await store.write((queries) =>
      enqueueWorkflow(queries, { id: name, name: 'probe', version: 1, subject: name, input: null }, Date.now()),
    )
    return { url, store, effects: join(directory, name) }
  }

  async function completed(store: PostgresStore, id: string): Promise<void> {
    await expect
      .poll(async () => (await findWorkflow(store.read, id))?.status, { timeout: PATIENCE_MS, interval: 50 })
      .toBe('completed')
  }

  async function effectsOf(file: string): Promise<string[]> {
    return (await readFile(file, 'utf8'))
      .trimEnd()
      .split('\n')
      .map((line) => line.split(' ')[0]!)
  }

  test('one takes over from another that was killed, and nothing is done twice', async (ctx) => {
    const { url, store, effects } = await setUp(needPostgres(ctx), 'killed')
    await using first = new EngineProcess(url, effects)
    await first.says(/acting killed 3 /)
    first.child.kill('SIGKILL')
    await using second = new EngineProcess(url, effects)
    await completed(store, 'killed')
    expect(await effectsOf(effects)).toHaveLength(10)
    expect(new Set(await effectsOf(effects)).size).toBe(10)
    expect(second.output).toContain('fence 2')
    await store.close()
  })

  test('one that was paused for longer than its lease is refused when it wakes up', async (ctx) => {
    const { url, store, effects } = await setUp(needPostgres(ctx), 'paused')
    await using paused = new EngineProcess(url, effects)
    await paused.says(/acting paused 3 /)
    paused.child.kill('SIGSTOP')
    await using other = new EngineProcess(url, effects)
    await completed(store, 'paused')
    const before = await workflowHistory(store.read, 'paused')
    paused.child.kill('SIGCONT')
    await paused.says(/lets go/)
    expect(await workflowHistory(store.read, 'paused')).toEqual(before)
    const late = before.filter(({ fence, seq }) => fence === 1 && seq > before.find((entry) => entry.fence === 2)!.seq)
    expect(late).toEqual([])
    expect(new Set(await effectsOf(effects)).size).toBe(10)
    expect(await effectsOf(effects)).toHaveLength(10)
    expect(other.output).toContain('acting paused 10 fence 2')
    await store.close()
  })
})
