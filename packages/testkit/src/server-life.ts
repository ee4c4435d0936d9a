import { TestkitError, reasonOf } from './errors.ts'
import type { ProvisionedDatabase } from './database/database-spec.ts'
import { collectDiagnostics, type Diagnostics } from './diagnostics/collect.ts'
import { ServerLogs } from './logs/server-logs.ts'
import { Listeners, type Handover } from './ports/listeners.ts'
import type { ServerProcess } from './process/server-process.ts'
import type { NotifySocket } from './readiness/notify-socket.ts'
import type { ProbeTarget } from './readiness/probe.ts'
import type { Readiness } from './readiness/readiness.ts'
import { readinessInline } from './readiness/readiness-inline.ts'
import { waitUntilReady, type ReadinessOutcome } from './readiness/wait-ready.ts'
import { buildEnvironment, readinessOf, writesReports } from './server-command.ts'
import { buildContext, firstAddress, makeFolders, mergeConfig, type ServerFolders } from './server-context.ts'
import { ServerFiles } from './server-files.ts'
import type { ServerHost } from './server-host.ts'
import type { ServerRun } from './server-run.ts'
import type { ServerState } from './server-state.ts'
import { describeNotReady, startFailure, type StartFailureCode } from './start-failure.ts'
import type { StartOptions } from './start-options.ts'
import type { DependencyAddress, InlineServer, Launch, ListenSpec, Row, ServerContext, ServerSpec } from './spec.ts'

export const defaultStartTimeoutMs = 10_000
/** A migration of a big schema on a small machine; what takes longer is no test. */
export const defaultPrepareTimeoutMs = 300_000

/**
 * What one managed server has and is at this moment: the part that its start (`server-start.ts`), its stop
 * (`server-stop.ts`) and its public face (`server.ts`) share. Nobody else sees it.
 */
export class ServerLife<C extends object> {
  readonly spec: ServerSpec<C>
  readonly host: ServerHost
  readonly folders: ServerFolders
  readonly listeners: Listeners
  readonly logs: ServerLogs
  readonly files: ServerFiles<C>
  /** Takes the secrets of all servers of the cluster out of a text. */
  readonly hide: (text: string) => string
  state: ServerState = 'new'
  /** Overrides for all starts, and those of the present one. */
  configured: Partial<C> = {}
  startOverrides: Partial<C> = {}
  /** The present or last start; those before it are settled. */
  run: ServerRun<C> | undefined
  notify: NotifySocket | undefined
  database: ProvisionedDatabase | undefined
  /** Data files and `prepare` are done. */
  prepared = false
  skewMs = 0
  /** Processes made so far; each carries its number, so that what one left behind is never mistaken for another's. */
  starts = 0
  /** The program that runs, as a full path. */
  program: string | undefined

  constructor(spec: ServerSpec<C>, host: ServerHost) {
    this.spec = spec
    this.host = host
    this.folders = makeFolders(host.dir, spec.name)
    this.files = new ServerFiles(spec)
    this.listeners = new Listeners(spec.listen ?? [], host.reaper)
    this.hide = (text) => host.secrets.hide(text)
    this.logs = new ServerLogs(spec.name, this.folders.logDir, spec.logs ?? [], this.hide)
    host.secrets.learn(spec.config ?? {})
  }

  get name(): string {
    return this.spec.name
  }

  get listen(): readonly ListenSpec[] {
    return this.spec.listen ?? []
  }

  get process(): ServerProcess | undefined {
    return this.run?.process
  }

  /** The open server object, when there is one. */
  get inline(): InlineServer | undefined {
    return this.run?.inline?.server
  }

  /** Undefined also for a process that could not be made. */
  get pid(): number | undefined {
    const running = this.process
    return running === undefined || running.exit !== undefined || running.pid === 0 ? undefined : running.pid
  }

  /** Time to become ready, or for a oneshot to end, in milliseconds. */
  startTimeoutMs(options: StartOptions = {}): number {
    return options.timeoutMs ?? this.spec.startTimeoutMs ?? defaultStartTimeoutMs
  }

  /** Time for the database, for `prepare` and for `afterReady`, each, in milliseconds. */
  prepareTimeoutMs(options: StartOptions): number {
    return options.timeoutMs ?? this.spec.prepareTimeoutMs ?? defaultPrepareTimeoutMs
  }

  /** Of the first listener. */
  get address(): { host: string; port: number; url: string } {
    return firstAddress(this.listen, this.listeners.ports)
  }

  get dbUrl(): string {
    return this.database?.url ?? ''
  }

  get isInline(): boolean {
    const { inline, command } = this.spec
    return inline !== undefined && (command === undefined || this.host.mode === 'inline')
  }

  /** When it counts as ready. A server object that is all there is to the server is ready when it is there. */
  get readiness(): Readiness {
    const { ready, command } = this.spec
    const isBare = this.isInline && ready === undefined && (command === undefined || this.address.port === 0)
    return isBare ? { fn: async () => true } : readinessOf(this.spec)
  }

  /** As a start with these overrides sees it. Everything that a server is ever given comes by here. */
  config(over: Partial<C> = {}): C {
    const config = mergeConfig<C>(this.spec.config, this.host.overridesFor(this.name), this.configured, over)
    this.host.secrets.learn(config)
    return config
  }

  launchKind(config: C): Launch {
    const { launch } = this.spec
    return typeof launch === 'function' ? launch(config) : (launch ?? 'service')
  }

  context(config: C = this.config(this.startOverrides)): ServerContext<C> {
    const deps: Record<string, DependencyAddress> = {}
    for (const name of this.spec.dependsOn ?? []) deps[name] = this.host.addressOf(name, this.name)
    const { name, folders, listen, dbUrl } = this
    const { ports, sockets } = this.listeners
    return buildContext({ name, folders, config, listen, ports, sockets, dbUrl, runId: this.host.runId, deps })
  }

  environment(context: ServerContext<C>, handover?: Handover): Record<string, string> {
    const environment = buildEnvironment(this.spec, context, {
      marker: this.host.marker,
      handover: handover?.env ?? {},
      notifySocket: this.notify?.path,
      clockSkewMs: this.skewMs,
      start: this.starts,
    })
    this.host.secrets.learnEnvironment(environment)
    return environment
  }

  /** A new state, unless the server has been started again since. */
  enter(run: ServerRun<C>, state: ServerState): void {
    if (this.run === run) this.state = state
  }

  /** The state in which a run rests when neither a start nor a stop of it is under way. */
  rest(run: ServerRun<C>): void {
    if (!run.isSettled || run.endings > 0) return
    if (!run.hasLaunched) this.enter(run, run.isCancelled ? 'exited' : 'failed')
    else if (run.lastExit !== undefined) this.enter(run, 'exited')
  }

  /** A stop or a kill: the start that may be under way is cancelled, and the state is known again when all are through. */
  async ending<T>(run: ServerRun<C>, work: () => Promise<T>): Promise<T> {
    run.endings += 1
    run.cancel()
    this.enter(run, 'stopping')
    try {
      return await work()
    } finally {
      run.endings -= 1
      this.rest(run)
    }
  }

  writeFiles(context: ServerContext<C>): void {
    const names = this.files.write(context)
    if (names.length > 0) this.logs.note(`config ${names.join(', ')}`)
  }

  /** Throws TK_FAULT_UNSUPPORTED for a server without a process, TK_STATE before the first start. */
  requireProcess(operation: string): ServerProcess {
    if (this.isInline) throw this.unsupported(operation)
    if (this.process === undefined) throw new TestkitError('TK_STATE', `server "${this.name}" was never started`)
    return this.process
  }

  unsupported(operation: string): TestkitError {
    return new TestkitError(
      'TK_FAULT_UNSUPPORTED',
      `cannot ${operation} server "${this.name}": it runs inside the test process; use mode "process"`,
    )
  }

  async sql(statement: string, params: readonly unknown[] = []): Promise<Row[]> {
    if (this.spec.query !== undefined) return await this.spec.query(this.context(), statement, params)
    if (this.inline?.query !== undefined) return await this.inline.query(statement, params)
    if (this.database === undefined) throw new TestkitError('TK_BAD_SPEC', `server "${this.name}" has no database`)
    return await this.database.sql(statement, params)
  }

  async waitReady(readiness: Readiness, timeoutMs: number, sinceMonotonic?: number): Promise<ReadinessOutcome> {
    const ended = this.run?.running?.ended ?? new AbortController().signal
    return await waitUntilReady(
      this.isInline ? readinessInline(readiness) : readiness,
      this.#probeTarget(sinceMonotonic),
      {
        timeoutMs,
        ended,
        wake: (look) => this.logs.onLine(look),
      },
    )
  }

  async diagnostics(): Promise<Diagnostics> {
    return await collectDiagnostics({
      name: this.name,
      state: this.state,
      pid: this.pid,
      members: this.process?.members().map((entry) => entry.pid) ?? [],
      exit: this.run?.lastExit,
      ports: this.listeners.ports,
      dir: this.folders.dir,
      reportDir: writesReports(this.spec, this.program) ? this.folders.runDir : undefined,
      lines: this.logs.lines({ thisRunOnly: true }),
      hide: this.hide,
    })
  }

  /** The error for a wait that was in vain: not ready in time, or ended before. */
  async notReady(outcome: ReadinessOutcome, context: ServerContext<C> = this.context()): Promise<TestkitError> {
    const diagnostics = await this.diagnostics()
    const ended = this.run?.running?.exit
    const cause = this.run?.inline?.failure
    const code = ended === undefined ? 'TK_NOT_READY' : 'TK_START_FAILED'
    const why = cause === undefined ? '' : `: ${reasonOf(cause)}`
    return this.failure(code, `${describeNotReady(this.name, outcome, ended)}${why}`, context, diagnostics)
  }

  failure(code: StartFailureCode, message: string, context: ServerContext<C>, diagnostics?: Diagnostics): TestkitError {
    const { state, logs, files, host } = this
    const seen = { state, context, rendered: files.rendered, secrets: host.secrets, log: logs.tail(40), diagnostics }
    return startFailure(code, message, seen)
  }

  #probeTarget(sinceMonotonic: number | undefined): ProbeTarget {
    const { name, notify, pid } = this
    const first = this.listen[0]
    const since = sinceMonotonic === undefined ? {} : { sinceMonotonic }
    return {
      name,
      ...this.address,
      ports: this.listeners.ports,
      hosts: Object.fromEntries(this.listen.map((spec) => [spec.name, spec.host ?? '127.0.0.1'])),
      sockets: this.listeners.sockets,
      // Whoever answers for a server object is this process.
      pid: this.isInline ? process.pid : pid,
      socketPath: first?.host === 'unix' ? this.listeners.sockets[first.name] : undefined,
      linesOfThisRun: () =>
        this.logs.lines({ thisRunOnly: true, ...since }).filter((line) => line.stream !== 'harness'),
      get notified() {
        return notify?.ready === true
      },
      sql: (statement) => this.sql(statement),
    }
  }
}
