import { monotonicMs, pollUntil } from './clock.ts'
import type { Diagnostics } from './diagnostics/collect.ts'
import { TestkitError } from './errors.ts'
import type { LogLine } from './logs/log-line.ts'
import type { LogWait } from './logs/server-logs.ts'
import { isAlive } from './process/process-table.ts'
import type { Readiness } from './readiness/readiness.ts'
import { checkOverrideKeys, type ServerFolders } from './server-context.ts'
import type { ServerHost } from './server-host.ts'
import { ServerLife } from './server-life.ts'
import { ServerRun } from './server-run.ts'
import { startServer } from './server-start.ts'
import { requireState, type ServerState } from './server-state.ts'
import { stopServer } from './server-stop.ts'
import type { ExitInfo, Row, ServerContext, ServerSpec, StopPolicy } from './spec.ts'
import type { FailedAttempt } from './start-attempts.ts'
import type { StartOptions, StartResult } from './start-options.ts'

const pauseTimeoutMs = 10_000

/**
 * One managed server of a cluster: a process (or an object in this process) with its folders, configuration, sockets,
 * database and logs. Its states are in `server-state.ts`. Source: testkit.md A3, A5.
 */
export class ManagedServer<C extends object = Record<string, unknown>> implements AsyncDisposable {
  readonly #life: ServerLife<C>
  #stopping: Promise<ExitInfo> | undefined

  constructor(spec: ServerSpec<C>, host: ServerHost) {
    this.#life = new ServerLife(spec, host)
  }

  get spec(): ServerSpec<C> {
    return this.#life.spec
  }

  get folders(): ServerFolders {
    return this.#life.folders
  }

  get name(): string {
    return this.spec.name
  }

  get state(): ServerState {
    return this.#life.state
  }

  get pid(): number | undefined {
    return this.#life.pid
  }

  get dir(): string {
    return this.folders.dir
  }

  get ports(): Readonly<Record<string, number>> {
    return this.#life.listeners.ports
  }

  get sockets(): Readonly<Record<string, string>> {
    return this.#life.listeners.sockets
  }

  get host(): string {
    return this.#life.address.host
  }

  get port(): number {
    return this.#life.address.port
  }

  get url(): string {
    return this.#life.address.url
  }

  /** The URL of the server's database; empty before the first start and without one. */
  get dbUrl(): string {
    return this.#life.dbUrl
  }

  /** How the present or last run ended; rejects when it could not be started. */
  get exit(): Promise<ExitInfo> {
    return (
      this.#life.run?.exit ?? Promise.reject(new TestkitError('TK_STATE', `server "${this.name}" was never started`))
    )
  }

  /** Tries of the last start. */
  get attempts(): number {
    const { run } = this.#life
    const hasFailed = run !== undefined && run.isSettled && !run.hasLaunched
    return this.failedAttempts.length + (hasFailed ? 0 : 1)
  }

  /** The tries of the last start that failed. */
  get failedAttempts(): readonly FailedAttempt[] {
    return this.#life.run?.attempts.failed ?? []
  }

  /** Connections that the test process accepted in the server's place; always 0 in a sound test. */
  get lostConnections(): number {
    return this.#life.listeners.lostConnections
  }

  /** Whether the server runs inside the test process. */
  get isInline(): boolean {
    return this.#life.isInline
  }

  /** Overrides for all later starts, below those of the start itself. Throws TK_CONFIG_UNKNOWN_KEY. */
  configure(overrides: Partial<C>): void {
    if (!this.#life.host.allowUnknown) checkOverrideKeys(this.name, this.spec.config ?? {}, overrides)
    this.#life.configured = { ...this.#life.configured, ...overrides }
  }

  /** The configuration as the next start would see it. */
  config(over: Partial<C> = {}): C {
    return this.#life.config(over)
  }

  /**
   * Starts, and resolves when the server is ready (a service) or has ended (a oneshot).
   *
   * @param over overrides of the configuration for this start only
   * @throws TestkitError TK_STATE, TK_CONFIG_…, TK_CANNOT_EXECUTE, TK_PORT_TAKEN, TK_START_FAILED, TK_NOT_READY,
   * TK_EXIT_CODE, TK_UNEXPECTED_LAUNCH
   */
  async start(over: Partial<C> = {}, options: StartOptions = {}): Promise<StartResult> {
    requireState(this.name, this.#life.state, 'start')
    this.#life.host.assertOpen()
    if (options.allowUnknown !== true && !this.#life.host.allowUnknown)
      checkOverrideKeys(this.name, this.spec.config ?? {}, over)
    const previous = this.#life.run
    const run = new ServerRun(this.name, this.#life.listen, over, options)
    this.#life.startOverrides = over
    this.#life.run = run
    this.#life.state = 'preparing'
    return await run.follow(startServer(this.#life, run, previous))
  }

  /** Stops within the policy; a second call gives the same answer. Throws TK_STATE for a server that was never started. */
  async stop(policy: StopPolicy = {}): Promise<ExitInfo> {
    const { run } = this.#life
    if (run === undefined) throw new TestkitError('TK_STATE', `server "${this.name}" was never started`)
    this.#stopping ??= stopServer(this.#life, run, { ...this.spec.stop, ...policy }).finally(() => {
      this.#stopping = undefined
    })
    return await this.#stopping
  }

  /**
   * A fault: the whole group gets the signal (default SIGKILL); resolves when the server has ended. A start that is under
   * way fails by it.
   */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<ExitInfo> {
    const before = this.#life.state
    requireState(this.name, before, 'kill')
    const running = this.#life.requireProcess('kill')
    const { run } = this.#life
    this.#life.logs.note(`kill ${signal}`)
    return await this.#life.ending(run!, async () => {
      try {
        const exit = await running.kill(signal)
        await run!.settled()
        return exit
      } catch (error) {
        // It lives on.
        if (running.exit === undefined && run!.isSettled) this.#life.enter(run!, before)
        throw error
      }
    })
  }

  /** Kills and starts again, `times` times. */
  async crashLoop(times: number, everyMs = 0): Promise<void> {
    for (let round = 0; round < times; round++) {
      await this.kill()
      if (everyMs > 0) await pollUntil(() => false, { timeoutMs: everyMs, intervalMs: everyMs })
      await this.start(this.#life.startOverrides)
    }
  }

  /** Stop and start: same folder, same database, the same ports if they are free, another pid. */
  async restart(over: Partial<C> = this.#life.startOverrides, options: StartOptions = {}): Promise<StartResult> {
    await this.stop()
    return await this.start(over, options)
  }

  /** New configuration and the reload signal; resolves when the spec's `done` is seen. The pid stays. */
  async reload(over: Partial<C> = this.#life.startOverrides): Promise<void> {
    requireState(this.name, this.#life.state, 'reload')
    const since = monotonicMs()
    const context = this.#life.context(this.config(over))
    this.#life.writeFiles(context)
    const { signal = 'SIGHUP', done } = this.spec.reload ?? {}
    if (this.#life.isInline) await this.#reloadInline(context.config)
    else {
      this.#life.logs.note(`reload ${signal}`)
      this.#life.requireProcess('reload').signal(signal)
    }
    if (done !== undefined) await this.waitReady({ readiness: done, sinceMonotonic: since })
  }

  /** Stops time for the server: it answers nothing, connects still succeed. Resolves when every member has stopped. */
  async pause(): Promise<void> {
    requireState(this.name, this.#life.state, 'pause')
    await this.#freeze('pause', 'SIGSTOP', (state) => state === 'T' || state === 't')
  }

  async resume(): Promise<void> {
    requireState(this.name, this.#life.state, 'resume')
    await this.#freeze('resume', 'SIGCONT', (state) => state !== 'T' && state !== 't')
  }

  /** Waits for the spec's readiness, or for another condition. Throws TK_NOT_READY. */
  async waitReady(options: { timeoutMs?: number; readiness?: Readiness; sinceMonotonic?: number } = {}): Promise<void> {
    const outcome = await this.#life.waitReady(
      options.readiness ?? this.#life.readiness,
      this.#life.startTimeoutMs(options),
      options.sinceMonotonic,
    )
    if (!outcome.ready) throw await this.#life.notReady(outcome)
  }

  /** A line of the present run, now or within the time (default 10 s). Throws TK_NOT_READY. */
  async waitForLog(pattern: RegExp, options: LogWait = {}): Promise<LogLine> {
    return await this.#life.logs.waitFor(pattern, { timeoutMs: 10_000, ...options })
  }

  logs(options: { thisRunOnly?: boolean } = {}): LogLine[] {
    return this.#life.logs.lines(options)
  }

  /** All streams apart; for the cluster's timeline. */
  logStreams(): LogLine[][] {
    return this.#life.logs.streams()
  }

  /** Rows of a statement, for verification only: from the server itself when it is a database, else from its database. */
  async sql(statement: string, params: readonly unknown[] = []): Promise<Row[]> {
    return await this.#life.sql(statement, params)
  }

  async diagnostics(): Promise<Diagnostics> {
    return await this.#life.diagnostics()
  }

  /** The configuration files as the last start wrote them, by name. Secrets are not hidden here. */
  renderedConfig(): Record<string, string> {
    return { ...this.#life.files.rendered }
  }

  /** What the spec's functions would be given now. */
  context(): ServerContext<C> {
    return this.#life.context()
  }

  /**
   * For servers that honour `MAINSTAY_TESTKIT_CLOCK_SKEW_MS` (Mainstay's): how far their clock is ahead from the next start
   * on, in milliseconds; behind when negative. Throws TK_FAULT_UNSUPPORTED for a server inside the test process.
   */
  clockSkew(ms: number): void {
    if (ms !== 0 && this.#life.isInline) throw this.#life.unsupported('set the clock of')
    this.#life.skewMs = ms
  }

  /** Ends everything of this server. Part of the cluster's clean-up; a second call does nothing. */
  async dispose(): Promise<void> {
    try {
      if (this.#life.state !== 'new') await this.stop()
    } finally {
      this.#life.notify?.close()
      this.#life.notify = undefined
      this.#life.listeners.dispose()
      this.#life.logs.close()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose()
  }

  async #reloadInline(config: C): Promise<void> {
    const { run, inline } = this.#life
    if (inline?.reload === undefined) throw this.#life.unsupported('reload')
    await run?.within(this.#life.startTimeoutMs(), 'reload', async () => await inline.reload?.(config))
  }

  /** Throws TK_STATE when not every member of the group came to it in time, or the server was ended meanwhile. */
  async #freeze(word: 'pause' | 'resume', signal: NodeJS.Signals, is: (state: string) => boolean): Promise<void> {
    const running = this.#life.requireProcess(word)
    const { run, state: before } = this.#life
    this.#life.logs.note(word)
    running.signal(signal, 'group')
    const done = await pollUntil(
      () => running.exit !== undefined || running.members().every((entry) => is(entry.state)),
      {
        timeoutMs: pauseTimeoutMs,
        intervalMs: 5,
      },
    )
    const after = word === 'pause' ? 'paused' : 'ready'
    const isUndisturbed = this.#life.run === run && [before, after].includes(this.#life.state)
    if (done === undefined) {
      throw new TestkitError('TK_STATE', `server "${this.name}" did not ${word} within ${pauseTimeoutMs} ms`)
    }
    if (!isUndisturbed || !isAlive(running.identity)) {
      throw new TestkitError('TK_STATE', `server "${this.name}" was ended while it was to ${word}: it is ${this.state}`)
    }
    this.#life.state = after
  }
}
