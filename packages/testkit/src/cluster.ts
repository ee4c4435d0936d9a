import { mkdirSync, writeFileSync } from 'node:fs'
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { wallMs } from './clock.ts'
import { TestkitError, reasonOf } from './errors.ts'
import { disposeCluster, keepOf, type DisposeOptions, type DisposeReport } from './cluster-dispose.ts'
import { serverHost } from './cluster-host.ts'
import { checkServerName, timelineFile } from './cluster-names.ts'
import type { CleanLogs, ClusterOptions } from './cluster-options.ts'
import { checkSharedKeys, pickKnown } from './cluster-overrides.ts'
import { writePolicy } from './cluster-policy.ts'
import { waitForAll } from './cluster-readiness.ts'
import { componentSpec, type ComponentName, type ComponentOptions } from './components/component.ts'
import { KnownSecrets } from './config/known-secrets.ts'
import { copyDataFile, type DataFile } from './config/data-files.ts'
import { ClusterDatabases } from './database/cluster-databases.ts'
import { guard } from './exit-guard.ts'
import { disposeAndTell, print, shouldPrint } from './failure-report.ts'
import { DiskLimit } from './faults/disk-full.ts'
import { ProxyBoard } from './faults/proxy-board.ts'
import type { TcpProxy } from './faults/tcp-proxy.ts'
import { homeDir, ownIdentity, writeFileAtomically, type Owner } from './home.ts'
import { assertCleanLogs } from './logs/clean-logs.ts'
import type { LogLine } from './logs/log-line.ts'
import { LogStore } from './logs/log-store.ts'
import { formatTimeline, mergeTimeline } from './logs/timeline.ts'
import { handoverOf } from './ports/listeners.ts'
import { reaper, type ReaperClient } from './reaper/reaper-client.ts'
import { ownerFile } from './reaper/sweep.ts'
import type { ServerHost } from './server-host.ts'
import { ManagedServer } from './server.ts'
import type { StartOptions, StartResult } from './start-options.ts'
import type { ExitInfo, ServerSpec } from './spec.ts'
import { checkSpec } from './spec-check.ts'
import { startInOrder } from './start-order.ts'

/**
 * A set of servers for one test, with one folder, one clean-up and one timeline.
 *
 *   open ──dispose──▶ closing (no new starts) ──▶ closed
 *
 * Invariant: whatever a cluster has started, leased, mounted or written is known to the reaper before it exists, so it
 * is gone after `dispose`, and also when this process is killed. Source: testkit.md A3, A10.
 */
export class Cluster implements AsyncDisposable {
  readonly dir: string
  readonly runId: string = randomUUID()
  readonly options: ClusterOptions
  readonly warnings: string[] = []
  /** Milliseconds since 1970. */
  readonly startedAt: number = wallMs()
  /** Files anywhere that the clean-up removes. */
  readonly filesToDestroy: string[] = []
  readonly #servers = new Map<string, ManagedServer>()
  readonly #startOrder: ManagedServer[] = []
  readonly #events = new LogStore('testkit', 'harness')
  readonly #secrets = new KnownSecrets()
  readonly #reaper: ReaperClient
  readonly #databases: ClusterDatabases
  readonly #proxies: ProxyBoard
  readonly #disks: DiskLimit[] = []
  readonly #onDispose: (() => Promise<void> | void)[] = []
  #closing: Promise<DisposeReport> | undefined

  private constructor(options: ClusterOptions) {
    this.options = options
    this.#reaper = reaper()
    this.dir = join(homeDir('runs'), `${slug(options.name ?? 'cluster')}-${this.runId.slice(0, 8)}`)
    this.#reaper.tell({ event: 'run', marker: this.marker })
    this.#reaper.tell({ event: 'dir', path: this.dir })
    mkdirSync(this.dir, { recursive: true, mode: 0o711 })
    const owner: Owner = { ...ownIdentity(), marker: this.marker, keep: keepOf(options) === 'always' }
    writeFileAtomically(join(this.dir, ownerFile), JSON.stringify(owner))
    this.#databases = new ClusterDatabases({
      dir: this.dir,
      runId: this.runId,
      reaper: this.#reaper,
      cluster: options.database,
    })
    this.#proxies = new ProxyBoard((text) => this.note(text), this.#reaper)
    guard(this)
  }

  /**
   * @throws TestkitError TK_BAD_SPEC for what a spec or an option cannot mean, and for two servers of one name;
   * TK_CLUSTER_CLOSED when `disabled` is set: ask for that before, as the runners' fixtures do
   */
  static async create(options: ClusterOptions = {}): Promise<Cluster> {
    if (options.disabled === true) {
      throw new TestkitError('TK_CLUSTER_CLOSED', options.disabledReason ?? 'Test disabled')
    }
    // Asked for now, so that a wrong word is told before anything is made.
    keepOf(options)
    const cluster = new Cluster(options)
    try {
      for (const spec of options.servers ?? []) cluster.add(spec)
    } catch (error) {
      await cluster.dispose()
      throw error
    }
    return cluster
  }

  /** The environment entry that all processes of this cluster carry. */
  get marker(): string {
    return `MAINSTAY_TESTKIT_RUN=${this.runId}`
  }

  get isClosed(): boolean {
    return this.#closing !== undefined
  }

  /** Servers in the order in which they were first started. */
  get started(): readonly ManagedServer[] {
    return this.#startOrder
  }

  get servers(): readonly ManagedServer[] {
    return [...this.#servers.values()]
  }

  /** Throws TK_CLUSTER_CLOSED once the clean-up has begun: nobody would clean up after what is made now. */
  assertOpen(more: string): void {
    if (this.isClosed) throw new TestkitError('TK_CLUSTER_CLOSED', `the cluster is being cleaned up: no more ${more}`)
  }

  /** Throws TK_BAD_SPEC for a name that is taken or cannot be a folder's, TK_CLUSTER_CLOSED. */
  add<C extends object>(spec: ServerSpec<C>): ManagedServer<C> {
    this.assertOpen('servers')
    checkServerName(spec.name)
    if (this.#servers.has(spec.name))
      throw new TestkitError('TK_BAD_SPEC', `there are two servers named "${spec.name}"`)
    checkSpec(spec)
    const server = new ManagedServer<C>(spec, this.#host())
    this.#servers.set(spec.name, server as unknown as ManagedServer)
    return server
  }

  /** Adds one of the known real servers. Throws TK_COMPONENT_MISSING when its programs are not installed. */
  component(name: ComponentName, options: ComponentOptions = {}): ManagedServer {
    return this.add(componentSpec(name, options))
  }

  /** Throws TK_BAD_SPEC for an unknown name. */
  get(name: string): ManagedServer {
    const server = this.#servers.get(name)
    if (server !== undefined) return server
    throw new TestkitError(
      'TK_BAD_SPEC',
      `there is no server "${name}"; there are: ${[...this.#servers.keys()].join(', ')}`,
    )
  }

  async start(name: string, over: object = {}, options: StartOptions = {}): Promise<StartResult> {
    const server = this.get(name)
    if (!this.#startOrder.includes(server)) this.#startOrder.push(server)
    return await server.start(over, options)
  }

  /**
   * Starts, and tries again with new ports when the port was taken (or after any failed launch with `retryOn: 'any'`).
   * `retries` counts all tries: default 3 for servers that bind their port themselves, else 1.
   */
  async startWithRetry(name: string, options: StartOptions & { over?: object } = {}): Promise<StartResult> {
    const { over = {}, ...rest } = options
    return await this.start(name, over, { retries: defaultRetries(this.get(name)), ...rest })
  }

  /** All servers, dependencies first, independent ones side by side. Override keys go to every server that knows them. */
  async startAll(over: Readonly<Record<string, unknown>> = {}): Promise<void> {
    this.assertOpen('starts')
    if (this.options.allowUnknown !== true) checkSharedKeys(this.servers, over)
    const order = new Map(this.servers.map((server) => [server.name, server.spec.dependsOn ?? []]))
    await startInOrder(
      order,
      async (name) => {
        const server = this.get(name)
        if (server.state === 'ready') return
        await this.startWithRetry(name, { over: pickKnown(server, over) })
      },
      { parallel: this.options.parallelStarts ?? 4 },
    )
  }

  /** Dependants first. Every server is stopped, whatever happens to the others. */
  async stopAll(): Promise<void> {
    const failures: unknown[] = []
    for (const server of this.#startOrder.toReversed()) {
      if (server.state === 'new' || server.state === 'exited') continue
      await server.stop().catch((error: unknown) => failures.push(error))
    }
    if (failures.length > 0)
      throw new AggregateError(failures, `not stopped cleanly: ${failures.map(reasonOf).join('; ')}`)
  }

  /** Starts a server that must not come up: resolves with how it ended. */
  async expectNoLaunch(name: string, over: object = {}, options: StartOptions = {}): Promise<ExitInfo> {
    await this.start(name, over, { ...options, expectLaunch: false })
    return await this.get(name).exit
  }

  /** All at once, one deadline (default 10 s). Throws TK_NOT_READY naming just the missing ones. */
  async waitForServers(names: readonly string[], options: { timeoutMs?: number } = {}): Promise<void> {
    await waitForAll(
      names.map((name) => this.get(name)),
      options.timeoutMs,
    )
  }

  /**
   * A proxy before a server's listener. From now on dependants reach the server through it. With `from`, only that
   * dependant does: this is what `partition` needs. Make it before the dependant starts.
   */
  async proxy(name: string, options: { listen?: string; from?: string; seed?: number } = {}): Promise<TcpProxy> {
    this.assertOpen('proxies')
    const server = this.get(name)
    const listen = options.listen ?? server.spec.listen?.find((spec) => spec.host !== 'unix')?.name
    if (listen === undefined)
      throw new TestkitError('TK_BAD_SPEC', `server "${name}" has no listener to put a proxy before`)
    const proxy = await this.#proxies.open(
      { server: name, listen, from: options.from },
      () => ({ host: server.host, port: server.ports[listen] ?? 0 }),
      options.seed,
    )
    if (!this.isClosed) return proxy
    await proxy.close()
    throw this.#closedMeanwhile()
  }

  /** Cuts one server off from another, both ways; resolves to the way back. Needs `proxy(to, { from })` before the start. */
  async partition(from: string, to: string): Promise<{ readonly heal: () => Promise<void> }> {
    this.assertOpen('faults')
    const { heal } = await this.#proxies.partition(from, to)
    // A test may heal in its own clean-up: by then there is nothing to heal, and nobody would close it again.
    return { heal: async () => (this.isClosed ? undefined : await heal()) }
  }

  /**
   * A small file system (default 1 MiB) that can be filled, mounted on a folder below the cluster's. Needs root; see
   * {@link DiskLimit}. Throws TK_FAULT_UNSUPPORTED, TK_BAD_SPEC.
   */
  async diskFull(folder: string, options: { sizeBytes?: number } = {}): Promise<DiskLimit> {
    this.assertOpen('faults')
    const { sizeBytes = 1024 * 1024 } = options
    const disk = await DiskLimit.mount(this.dir, folder, { sizeBytes, reaper: this.#reaper })
    this.#disks.push(disk)
    if (!this.isClosed) return disk
    await disk.undo()
    throw this.#closedMeanwhile()
  }

  /** Writes the policy file (of one server or of all that have it) at once; a running server sees it at its next look. */
  setPolicy(rules: object, options: { server?: string; file?: string } = {}): void {
    this.assertOpen('files')
    writePolicy(options.server === undefined ? this.servers : [this.get(options.server)], rules, options.file)
  }

  /** Copies a data file into the cluster's folder; returns its new path. Throws TK_DATA_FILE_MISSING, TK_BAD_SPEC. */
  copyDataFile(file: DataFile): string {
    this.assertOpen('files')
    return copyDataFile(file, this.dir)
  }

  /** Back to the state after migration. The server must not hold it open when it is a file. */
  async resetDatabase(name: string): Promise<void> {
    this.assertOpen('databases')
    await this.#databases.reset(this.get(name))
  }

  /** All lines of all servers, proxies and the kit, by time. */
  timeline(): LogLine[] {
    return mergeTimeline([...this.servers.flatMap((server) => server.logStreams()), this.#events.lines()])
  }

  /** The timeline for people: one line each, secrets hidden. */
  timelineText(options: { last?: number; colour?: boolean } = {}): string {
    const lines = this.timeline()
    const shown = options.last === undefined ? lines : lines.slice(-options.last)
    const text = formatTimeline(shown, { startAt: this.startedAt, colour: options.colour ?? false })
    return this.#secrets.hide(text)
  }

  /** Throws TK_DIRTY_LOGS quoting the first forbidden lines. */
  expectCleanLogs(rules: CleanLogs): void {
    assertCleanLogs(this.timeline(), rules, (text) => this.#secrets.hide(text))
  }

  /** A mark in the timeline: a step of the test. */
  note(text: string): void {
    this.#events.add(text, 1)
  }

  /** Work for the clean-up; all of it runs, the newest first, whatever fails. */
  onDispose(work: () => Promise<void> | void): void {
    this.assertOpen('clean-up work')
    this.#onDispose.push(work)
  }

  /**
   * Ends everything, in the order of testkit.md A10. A second call waits for the first and does nothing.
   *
   * @throws DisposeError listing every step that failed, after all of them ran
   */
  async dispose(options: DisposeOptions = {}): Promise<DisposeReport> {
    this.#closing ??= disposeCluster(
      {
        cluster: this,
        proxies: this.#proxies,
        disks: this.#disks,
        databases: this.#databases,
        reaper: this.#reaper,
        onDispose: this.#onDispose,
      },
      options,
    )
    return await this.#closing
  }

  /**
   * The clean-up of `await using`, which does not tell why a block has ended: the test counts as failed when the last start
   * of a server did. Then the folder is kept and the timeline is on stderr, as a runner's fixture would have it.
   *
   * @throws DisposeError
   */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.isClosed) return void (await this.dispose())
    const failed = this.servers.some((server) => server.state === 'failed')
    await disposeAndTell(this, failed, (ended) => {
      if (shouldPrint(ended.failed)) print(this, ended)
    })
  }

  /** Writes the timeline beside the servers' folders; returns the path. */
  writeTimeline(): string {
    const path = join(this.dir, timelineFile)
    writeFileSync(path, `${this.timelineText()}\n`, { mode: 0o644 })
    return path
  }

  /** The clean-up began while something was being made; it is undone already. */
  #closedMeanwhile(): TestkitError {
    return new TestkitError('TK_CLUSTER_CLOSED', 'the cluster was cleaned up meanwhile')
  }

  #host(): ServerHost {
    return serverHost(this, {
      reaper: this.#reaper,
      secrets: this.#secrets,
      databases: this.#databases,
      proxies: this.#proxies,
    })
  }
}

function defaultRetries(server: ManagedServer): number {
  return server.spec.listen?.some((spec) => handoverOf(spec) === 'none') === true ? 3 : 1
}

/** What a folder's name may hold; long names are cut so that UNIX sockets below still fit. */
function slug(name: string): string {
  const all = name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')
  // The beginning has the worker and the suite, the end says which test.
  const short = all.length <= 32 ? all : `${all.slice(0, 8)}-${all.slice(-23)}`
  return short.replaceAll(/-+/g, '-').replaceAll(/^-|-$/g, '') || 'cluster'
}
