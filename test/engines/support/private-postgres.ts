import { Cluster, type ManagedServer } from '@mainstay/testkit'

import { need, type Skipping } from '../../support/need.ts'

const START_TIMEOUT_MS = 30_000

/** As the server has it by default. */
const DURABLE = { fsync: 'on', synchronous_commit: 'on', full_page_writes: 'on' }

/** Finds PostgreSQL, or skips the test. */
export function needPostgres(ctx: Skipping): void {
  need(ctx, { program: 'postgres', package: 'postgresql', directories: ['/usr/lib/postgresql/*/bin'] })
  need(ctx, { program: 'psql', package: 'postgresql-client' })
}

/** A PostgreSQL of our own whose databases are reached by its UNIX socket. It is gone when it is disposed. */
export class PrivatePostgres implements AsyncDisposable {
  readonly #cluster: Cluster
  readonly #server: ManagedServer
  #databases = 0

  private constructor(cluster: Cluster, server: ManagedServer) {
    this.#cluster = cluster
    this.#server = server
  }

  /**
   * Ask {@link needPostgres} first.
   *
   * @param durable what it has acknowledged is on disk: for tests that crash it, and for what is measured on it
   */
  static async start({ durable = false } = {}): Promise<PrivatePostgres> {
    const cluster = await Cluster.create({ name: 'postgres' })
    const postgres = new PrivatePostgres(cluster, cluster.component('postgres', durable ? { config: DURABLE } : {}))
    try {
      await postgres.restart()
      return postgres
    } catch (error) {
      await cluster.dispose({ failed: true })
      throw error
    }
  }

  /** @returns the address of a new, empty database */
  async createDatabase(): Promise<string> {
    this.#databases += 1
    const name = `test_${this.#databases}`
    await this.#server.sql(`create database ${name}`)
    const { folders, port } = this.#server
    return `postgres://postgres@${encodeURIComponent(folders.runDir)}:${port}/${name}`
  }

  /** Ends the server as a crash would: no checkpoint, every connection cut. */
  async crash(): Promise<void> {
    await this.#server.kill('SIGQUIT')
  }

  /** Starts the server on the data that is there and waits until it answers. */
  async restart(): Promise<void> {
    await this.#server.start({}, { timeoutMs: START_TIMEOUT_MS, retries: 3 })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cluster.dispose()
  }
}

/** A private, durable server with one empty database, for programs that are no tests. @throws Error when it is not installed */
export async function startPrivatePostgres(): Promise<AsyncDisposable & { readonly url: string }> {
  const refuse = (reason?: string): never => {
    throw new Error(reason)
  }
  needPostgres({ skip: refuse })
  const postgres = await PrivatePostgres.start({ durable: true })
  return { url: await postgres.createDatabase(), [Symbol.asyncDispose]: () => postgres[Symbol.asyncDispose]() }
}
