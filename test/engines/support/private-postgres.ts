import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chown, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

import { Client } from 'pg'

import { runCommand } from '../../../packages/mainstay/src/core/child-process.ts'
import { SystemClock } from '../../../packages/mainstay/src/core/clock.ts'
import { errorMessage } from '../../../packages/mainstay/src/core/errors.ts'
import { need, type Skipping } from '../../support/need.ts'

const USER = 'mainstay'

/** Whom PostgreSQL runs as when the tests run as root, whom it refuses. */
const SERVER_USER = 'postgres'

const START_TIMEOUT_MS = 30_000
const STOP_TIMEOUT_MS = 15_000

/** Finds PostgreSQL's programs, or skips the test. @returns their directory */
export function needPostgres(ctx: Skipping): string {
  const initdb = need(ctx, {
    program: 'initdb',
    package: 'postgresql',
    directories: ['/usr/lib/postgresql/*/bin'],
  })
  return dirname(initdb)
}

/**
 * A PostgreSQL of our own: its own directory, a unix socket in it, no port. Durability is as the server has it by
 * default. It ends when it is disposed; a process that is killed before leaves it behind.
 */
export class PrivatePostgres implements AsyncDisposable {
  readonly #bin: string
  readonly #directory: string
  readonly #owner: { uid: number; gid: number } | undefined
  #server: ChildProcess | undefined
  #databases = 0

  private constructor(bin: string, directory: string, owner: { uid: number; gid: number } | undefined) {
    this.#bin = bin
    this.#directory = directory
    this.#owner = owner
  }

  /** @param bin the directory of `initdb` and `postgres`, see {@link needPostgres} */
  static async start(bin: string): Promise<PrivatePostgres> {
    const directory = await mkdtemp(join(tmpdir(), 'mainstay-pg-'))
    const owner = process.getuid?.() === 0 ? await lookUpUser(SERVER_USER) : undefined
    if (owner !== undefined) await chown(directory, owner.uid, owner.gid)
    const postgres = new PrivatePostgres(bin, directory, owner)
    try {
      await postgres.#createCluster()
      await postgres.restart()
      return postgres
    } catch (error) {
      await postgres[Symbol.asyncDispose]()
      throw error
    }
  }

  url(database = 'postgres'): string {
    return `postgres://${USER}@${encodeURIComponent(this.#directory)}/${database}`
  }

  /** @returns the address of a new, empty database */
  async createDatabase(): Promise<string> {
    this.#databases += 1
    const name = `test_${this.#databases}`
    await this.query(`create database ${name}`)
    return this.url(name)
  }

  /** Runs one statement as the owner of the server. */
  async query(sql: string): Promise<Record<string, unknown>[]> {
    const client = new Client({ connectionString: this.url(), connectionTimeoutMillis: START_TIMEOUT_MS })
    await client.connect()
    try {
      return (await client.query<Record<string, unknown>>(sql)).rows
    } finally {
      await client.end()
    }
  }

  /** Ends the server as a crash would: no checkpoint, every connection cut. */
  async crash(): Promise<void> {
    await this.#stop('SIGQUIT')
  }

  /** Starts the server on the data that is there and waits until it answers. */
  async restart(): Promise<void> {
    const [program, args] = [
      join(this.#bin, 'postgres'),
      ['-D', this.#data, '-k', this.#directory, '-c', 'listen_addresses=', '-c', 'log_min_messages=fatal'],
    ]
    const server = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], ...this.#owner })
    let said = ''
    server.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-4000)))
    this.#server = server
    const clock = new SystemClock()
    const deadline = clock.monotonic() + START_TIMEOUT_MS
    for (;;) {
      if (server.exitCode !== null) throw new Error(`PostgreSQL ended with code ${server.exitCode}: ${said}`)
      try {
        await this.query('select 1')
        return
      } catch (error) {
        if (clock.monotonic() > deadline) {
          throw new Error(`PostgreSQL did not answer in ${START_TIMEOUT_MS} ms (${errorMessage(error)}): ${said}`, {
            cause: error,
          })
        }
      }
      await clock.sleep(50)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop('SIGQUIT')
    await rm(this.#directory, { recursive: true, force: true })
  }

  get #data(): string {
    return join(this.#directory, 'data')
  }

  async #createCluster(): Promise<void> {
    const initdb = [join(this.#bin, 'initdb'), '-D', this.#data, '-U', USER, '--auth=trust', '-E', 'UTF8', '--locale=C']
    const argv = this.#owner === undefined ? initdb : ['runuser', '-u', SERVER_USER, '--', ...initdb]
    const [program, ...args] = argv
    const { exitCode, stderr } = await runCommand([program!, ...args, '--no-sync'], {
      timeoutMs: START_TIMEOUT_MS,
      cwd: this.#directory,
    })
    if (exitCode !== 0) throw new Error(`initdb failed with code ${exitCode}: ${stderr}`)
  }

  async #stop(signal: NodeJS.Signals): Promise<void> {
    const server = this.#server
    this.#server = undefined
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return
    const ended = once(server, 'exit', { signal: AbortSignal.timeout(STOP_TIMEOUT_MS) })
    server.kill(signal)
    await ended
  }
}

async function lookUpUser(name: string): Promise<{ uid: number; gid: number }> {
  const lines = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'))
  const entry = lines.find(([user]) => user === name)
  if (entry === undefined) throw new Error(`There is no user ${name}: apt-get install postgresql`)
  return { uid: Number(entry[2]), gid: Number(entry[3]) }
}

/** A private server with one empty database, for programs that are no tests. @throws Error when it is not installed */
export async function startPrivatePostgres(): Promise<AsyncDisposable & { readonly url: string }> {
  const refuse = (reason?: string): never => {
    throw new Error(reason)
  }
  const postgres = await PrivatePostgres.start(needPostgres({ skip: refuse }))
  return { url: await postgres.createDatabase(), [Symbol.asyncDispose]: () => postgres[Symbol.asyncDispose]() }
}
