import { TestkitError } from './errors.ts'
import type { ProvisionedDatabase } from './database/database-spec.ts'
import { collectDiagnostics, type Diagnostics } from './diagnostics/collect.ts'
import { ServerLogs } from './logs/server-logs.ts'
import { Listeners, type Handover } from './ports/listeners.ts'
import type { ServerProcess } from './process/server-process.ts'
import type { NotifySocket } from './readiness/notify-socket.ts'
import type { ProbeTarget } from './readiness/probe.ts'
import type { Readiness } from './readiness/readiness.ts'
import { waitUntilReady, type ReadinessOutcome } from './readiness/wait-ready.ts'
import { buildEnvironment, writesReports } from './server-command.ts'
import { buildContext, firstAddress, makeFolders, mergeConfig, type ServerFolders } from './server-context.ts'
import { ServerFiles } from './server-files.ts'
import type { ServerHost } from './server-host.ts'
import type { ServerState } from './server-state.ts'
import { describeNotReady, startFailure, type StartFailureCode } from './start-failure.ts'
import { StartAttempts } from './start-attempts.ts'
import type {
  DependencyAddress,
  ExitInfo,
  InlineServer,
  Launch,
  ListenSpec,
  Row,
  ServerContext,
  ServerSpec,
} from './spec.ts'

export const defaultStartTimeoutMs = 10_000

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
  state: ServerState = 'new'
  /** Overrides for all starts, and those of the present one. */
  configured: Partial<C> = {}
  startOverrides: Partial<C> = {}
  process: ServerProcess | undefined
  inline: InlineServer | undefined
  notify: NotifySocket | undefined
  database: ProvisionedDatabase | undefined
  /** How the present or last run ends. */
  exit: Promise<ExitInfo> | undefined
  lastExit: ExitInfo | undefined
  attempts: StartAttempts
  /** Set by a stop: the start that is under way neither spawns any more nor tries again. */
  cancelled = false
  /** Data files and `prepare` are done. */
  prepared = false
  skewMs = 0
  /** The program that runs, as a full path. */
  program: string | undefined

  constructor(spec: ServerSpec<C>, host: ServerHost) {
    this.spec = spec
    this.host = host
    this.folders = makeFolders(host.dir, spec.name)
    this.files = new ServerFiles(spec)
    this.attempts = new StartAttempts(spec.name, [], {})
    this.listeners = new Listeners(spec.listen ?? [], host.reaper)
    this.logs = new ServerLogs(spec.name, this.folders.logDir, spec.logs ?? [])
  }

  get name(): string {
    return this.spec.name
  }

  get listen(): readonly ListenSpec[] {
    return this.spec.listen ?? []
  }

  get pid(): number | undefined {
    return this.process !== undefined && this.process.exit === undefined ? this.process.pid : undefined
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

  config(over: Partial<C> = {}): C {
    return mergeConfig<C>(this.spec.config, this.host.overridesFor(this.name), this.configured, over)
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
    return buildEnvironment(this.spec, context, {
      marker: this.host.marker,
      handover: handover?.env ?? {},
      notifySocket: this.notify?.path,
      clockSkewMs: this.skewMs,
    })
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
    const ended = this.process?.ended ?? new AbortController().signal
    return await waitUntilReady(readiness, this.#probeTarget(sinceMonotonic), {
      timeoutMs,
      ended,
      wake: (look) => this.logs.onLine(look),
    })
  }

  async diagnostics(): Promise<Diagnostics> {
    return await collectDiagnostics({
      name: this.name,
      state: this.state,
      pid: this.pid,
      members: this.process?.members().map((entry) => entry.pid) ?? [],
      exit: this.lastExit,
      ports: this.listeners.ports,
      dir: this.folders.dir,
      reportDir: writesReports(this.spec, this.program) ? this.folders.runDir : undefined,
      lines: this.logs.lines({ thisRunOnly: true }),
    })
  }

  /** The error for a wait that was in vain: not ready in time, or ended before. */
  async notReady(outcome: ReadinessOutcome, context: ServerContext<C> = this.context()): Promise<TestkitError> {
    const diagnostics = await this.diagnostics()
    const ended = this.lastExit ?? this.process?.exit
    const code = ended === undefined ? 'TK_NOT_READY' : 'TK_START_FAILED'
    return this.failure(code, describeNotReady(this.name, outcome, ended), context, diagnostics)
  }

  failure(code: StartFailureCode, message: string, context: ServerContext<C>, diagnostics?: Diagnostics): TestkitError {
    const { rendered } = this.files
    return startFailure(code, message, { state: this.state, context, rendered, log: this.logs.tail(40), diagnostics })
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
      pid,
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
