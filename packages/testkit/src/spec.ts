import type { DataFile } from './config/data-files.ts'
import type { ConfigStyle } from './config/serialise.ts'
import type { DatabaseSpec } from './database/database-spec.ts'
import type { Readiness } from './readiness/readiness.ts'

/**
 * What a server is: everything the kit must know to start, watch, break and stop it. Plain data and functions, so that
 * a product can export the specs of its own servers without the kit knowing them. Source: testkit.md A3.
 */
export interface ServerSpec<C extends object = Record<string, unknown>> {
  /** Unique within a cluster: `api`, `engine`, `redis`. Also its folder's name. */
  readonly name: string
  /** A `service` runs until stopped; a `oneshot` ends by itself. A function decides from the configuration. Default `service`. */
  readonly launch?: Launch | Method<[config: C], Launch>
  /** Program and arguments, never through a shell. Placeholders as in config files work in each part. */
  readonly command?: string | readonly string[] | Method<[ctx: ServerContext<C>], readonly string[]>
  /**
   * Runs the server inside the test process instead; used when there is no `command` or the mode asks for it. It is
   * judged like a process: a rejection is an end with code 1, `ready` is asked (what needs output, `log` and `notify`,
   * counts as said once the function has resolved), and a oneshot is through, and closed, when the function has resolved.
   */
  readonly inline?: Method<[ctx: ServerContext<C>], Promise<InlineServer>>
  /** Default: the server's data folder. */
  readonly cwd?: string
  /** Added to what is inherited; `undefined` removes a variable, a function gets the inherited value. */
  readonly env?:
    | Readonly<Record<string, EnvValue>>
    | Method<[ctx: ServerContext<C>], Readonly<Record<string, EnvValue>>>
  /** Which variables of the test process the server sees. Default: PATH, HOME, LANG, LC_*, TZ, TMPDIR. */
  readonly inheritEnv?: boolean | readonly string[]
  /** For servers that refuse to run as root. */
  readonly user?: { readonly uid: number; readonly gid: number }
  /** Defaults of the substitution dictionary; the only keys that overrides may use. */
  readonly config?: C
  /** Written into the server's `etc` folder before each start; the ones before stay as `*.1`. Default: none. */
  readonly files?: readonly ConfigFile<C>[]
  /** A server without any rendered file is refused. Default false. */
  readonly requireConfig?: boolean
  /** Copied once, before the first start; `to` is below the server's folder. */
  readonly dataFiles?: readonly DataFile[]
  /** Empty: does not listen. Default: empty. */
  readonly listen?: readonly ListenSpec[]
  /** The server's own, or one that another server has; without it the cluster's, if that has one. Made once per cluster. */
  readonly database?: DatabaseSpec | { readonly shareWith: string }
  /** Work between the folders' creation and the start, once per server and cluster: a data directory, keys. */
  readonly prepare?: Method<[ctx: ServerContext<C>], Promise<void>>
  /** Work after each time the server became ready: users, queues. */
  readonly afterReady?: Method<[ctx: ServerContext<C>], Promise<void>>
  /**
   * When a service counts as started; several: when all hold. Default: an answer at `/healthz` of the first listener; that
   * the port is open for handover `none`; at once for a server that does not listen.
   */
  readonly ready?: Readiness | readonly Readiness[]
  /** Time to become ready, or for a oneshot to end. Default 10 s. */
  readonly startTimeoutMs?: number
  /**
   * Time for the database (its migration), for `prepare` and for `afterReady`, each. Default 5 min. The `timeoutMs` of a
   * start goes before it.
   */
  readonly prepareTimeoutMs?: number
  /** How the server is asked to end, and for how long. Default: SIGTERM, see {@link StopPolicy}. */
  readonly stop?: StopPolicy
  /** Log files that the server writes itself; what it writes to stdout and stderr is always there. */
  readonly logs?: readonly LogSpec[]
  /**
   * Names of servers of the cluster that start before this one and stop after it. Their addresses are in `deps.<name>`: the
   * proxy's, where one stands between (`cluster.proxy`).
   */
  readonly dependsOn?: readonly string[]
  /** What `reload()` sends after it has written the new configuration, and how its end is seen. Default: SIGHUP, no wait. */
  readonly reload?: { readonly signal: NodeJS.Signals; readonly done: Readiness }
  /** Limits of the operating system for the process, for tests of exhaustion. Default: those of the test process. */
  readonly limits?: ProcessLimits
  /** Starts Node programs with `--report-on-signal`, so that a hanging one can be asked what it does. Default true. */
  readonly diagnosticReport?: boolean
  /** Answers `server.sql()` for a server that is itself a database. */
  readonly query?: Method<[ctx: ServerContext<C>, sql: string, params: readonly unknown[]], Promise<Row[]>>
  /** Decides before anything is created whether this server can run here. */
  readonly available?: () => Promise<Availability>
}

export type Launch = 'service' | 'oneshot'
export type Row = Record<string, unknown>
export type EnvValue = string | undefined | ((old?: string) => string | undefined)

/** A function member that may be narrowed by the specs' own configuration type. */
export type Method<A extends unknown[], R> = { bivarianceHack(...args: A): R }['bivarianceHack']

export interface Availability {
  readonly ok: boolean
  readonly version?: string | undefined
  /** The reason, with the package to install. */
  readonly why?: string | undefined
}

export interface ConfigFile<C extends object = Record<string, unknown>> {
  /** Below the server's `etc` folder; the extension decides how an object is written. */
  readonly name: string
  /** Booleans of the oslo style are True and False. */
  readonly style?: ConfigStyle
  /** A template file. */
  readonly templateFile?: string | URL
  /** A template, or what to write: a string as it is, an object by the extension, undefined for no file this time. */
  readonly content?: string | Method<[ctx: ServerContext<C>], string | object | undefined>
}

export interface ListenSpec {
  readonly name: string
  readonly host?: '127.0.0.1' | '::1' | 'unix'
  /** A fixed number: a clash is an error, not a retry. */
  readonly port?: number
  /**
   * How the port comes to the server: `inherit` = descriptor in `MAINSTAY_LISTEN_FDS="name:3,…"`; `systemd` = LISTEN_FDS,
   * LISTEN_FDNAMES, LISTEN_PID; `{ env }` = the descriptor's number in that variable; `none` = a leased port that the
   * server binds itself. Default `inherit`.
   */
  readonly handover?: 'inherit' | 'systemd' | 'none' | { readonly env: string }
  /** Whether a restart gets the same number. Default `prefer`. */
  readonly samePort?: 'prefer' | 'require'
}

export interface LogSpec {
  readonly name: string
  /** Below the server's `log` folder, or absolute. */
  readonly path: string
}

/**
 * Times count from the first signal. One that is not set comes earlier when a later one is set to less than its default.
 * Source: testkit.md A5.3.
 */
export interface StopPolicy {
  /** Default SIGTERM. */
  readonly signal?: NodeJS.Signals
  /** Then the signal again, to the whole group. Default 5000. */
  readonly graceMs?: number
  /** Then SIGKILL to the group. Default 7000. */
  readonly killAfterMs?: number
  /** Then give up with diagnostics; never sooner than 1 s after SIGKILL. Default 10 000. */
  readonly deadlineMs?: number
  /** Whether the second signal and SIGKILL go to the whole group, or to the leader alone. Default true. */
  readonly group?: boolean
  /** What counts as a clean end. Default: code 0 or the signal itself. */
  readonly expectExit?: number | readonly number[] | 'signal'
  /** Having to escalate is an error. Default: the cluster's `strictStop`. */
  readonly strict?: boolean
}

/** Limits of the operating system, by `prlimit`. */
export interface ProcessLimits {
  readonly openFiles?: number
  readonly cpuSeconds?: number
  readonly virtualMemoryBytes?: number
}

/** What a spec's functions are given. */
export interface ServerContext<C extends object = Record<string, unknown>> {
  readonly name: string
  readonly dir: string
  readonly etc: string
  readonly dataDir: string
  readonly logDir: string
  readonly runDir: string
  readonly config: C
  readonly host: string
  /** Port of the first listener, 0 without one. */
  readonly port: number
  readonly ports: Readonly<Record<string, number>>
  /** `http://host:port` of the first listener, empty without one. */
  readonly url: string
  /** Path of a UNIX socket listener, by name. */
  readonly sockets: Readonly<Record<string, string>>
  readonly dbUrl: string
  readonly runId: string
  readonly logFile: string
  readonly pidFile: string
  readonly deps: Readonly<Record<string, DependencyAddress>>
}

/** Where a dependency is reached: itself, or the proxy before it. */
export interface DependencyAddress {
  readonly host: string
  readonly port: number
  readonly url: string
  readonly dir: string
  readonly ports: Readonly<Record<string, number>>
}

/** A server object that runs inside the test process. */
export interface InlineServer {
  /** The ports it really got, by listener name. */
  readonly ports?: Readonly<Record<string, number>>
  close(): Promise<void>
  reload?(config: unknown): Promise<void>
  query?(sql: string, params: readonly unknown[]): Promise<Row[]>
}

export interface ExitInfo {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** The polite signal was not enough. */
  readonly escalated: boolean
  /** Code 0, an expected code, or the stop signal itself. */
  readonly clean: boolean
}

/** Lets the compiler check a spec's configuration type; returns the spec. */
export function defineServer<C extends object>(spec: ServerSpec<C>): ServerSpec<C> {
  return spec
}
