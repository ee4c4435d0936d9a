import { NotBuiltError } from './errors.ts'

/**
 * What the commands that run here, not against a server, need of the composition root. It is loaded when one of them
 * runs, because it brings the whole product with it.
 */

/** Where a configuration comes from; the later ones win: file, environment, `set`, the flags that have their own name. */
export interface ConfigurationOptions {
  /** A TOML file. */
  readonly config?: string | undefined
  /** A configuration of Masakari, read before everything else. */
  readonly importConf?: string | undefined
  /** `section.key=value` each. */
  readonly set: readonly string[]
  readonly dataDir?: string | undefined
  readonly env: Readonly<Partial<Record<string, string>>>
}

/** What every function is told: when the user has enough. */
export interface Interruptible {
  readonly signal: AbortSignal
}

export interface ServeOptions extends ConfigurationOptions, Interruptible {
  readonly roles?: readonly string[] | undefined
  /** `HOST:PORT`. */
  readonly listen?: string | undefined
  readonly compute?: string | undefined
  readonly simHosts?: number | undefined
  readonly simGuests?: number | undefined
  readonly simSeed?: number | undefined
  readonly insecureNoAuth: boolean
}

export interface AgentOptions extends ConfigurationOptions, Interruptible {
  readonly monitors?: readonly string[] | undefined
  readonly endpoint?: string | undefined
  readonly spoolDir?: string | undefined
  readonly libvirtSocket?: string | undefined
  readonly hostname?: string | undefined
}

export interface DemoOptions extends Interruptible {
  readonly hosts: number
  readonly guests: number
  readonly seed?: number | undefined
  /** The longest that the recovery may take, in milliseconds. */
  readonly timeoutMs: number
  /** Whether lines may be coloured and written over. */
  readonly terminal: boolean
  readonly print: (text: string) => void
}

export interface MigrateOptions extends ConfigurationOptions, Interruptible {
  readonly dryRun: boolean
  readonly importDatabase?: string | undefined
}

export interface AdoptReferenceOptions extends ConfigurationOptions, Interruptible {
  readonly dryRun: boolean
}

/** What was adopted of the VM manager of Copr, or would be. */
export interface ReferenceAdoption {
  readonly machines: readonly {
    readonly name: string
    readonly group: string
    readonly state: string
    readonly owner: string | null
    readonly worker: string | null
    /** Whether it was adopted before. */
    readonly known: boolean
  }[]
  /** Records that are left as they are, and why. */
  readonly refused: readonly { readonly name: string; readonly because: string }[]
  /** What a person has to do before it can be done; empty unless this is a dry run. */
  readonly obstacles: readonly string[]
}

export interface PurgeOptions extends ConfigurationOptions, Interruptible {
  readonly dryRun: boolean
  readonly ageInDays: number
  /** -1 for no bound. */
  readonly maxRows: number
}

export interface CheckOptions extends ConfigurationOptions, Interruptible {
  readonly compute?: string | undefined
}

export interface DemoEnd {
  /** Whether all guests of the host run elsewhere. */
  readonly recovered: boolean
  /** What became of the recovery, in a sentence. */
  readonly text: string
}

/** Something that goes on until it is stopped. */
export interface Running {
  /** For the person who started it: the address, where the data is, what to do next. */
  readonly banner: readonly string[]
  /** Resolves when it has ended by itself; rejects with the reason. */
  readonly ended: Promise<void>
  /** Reads its configuration again (SIGHUP); missing where that changes nothing. */
  readonly reload?: () => Promise<void>
  /** Ends it in good order, within the time that its configuration allows. */
  stop(): Promise<void>
}

export interface CheckResult {
  readonly name: string
  readonly ok: boolean
  readonly text: string
  /** What to do, when it is not. */
  readonly remedy?: string | undefined
}

export interface ServerModule {
  serve(options: ServeOptions): Promise<Running>
  runAgent(options: AgentOptions): Promise<Running>
  runDemo(options: DemoOptions): Promise<DemoEnd>
  /** @returns names of the migrations that ran, or would run */
  migrate(options: MigrateOptions): Promise<readonly string[]>
  /** @returns how many rows went, or would go, by table in the order of their removal */
  purge(options: PurgeOptions): Promise<Readonly<Record<string, number>>>
  adoptReference(options: AdoptReferenceOptions): Promise<ReferenceAdoption>
  check(options: CheckOptions): AsyncIterable<CheckResult>
}

/** Loads the composition root. A command whose part of it does not exist yet says so. */
export async function loadServer(): Promise<Partial<ServerModule>> {
  return await import('../server/index.ts')
}

/**
 * The part of the composition root that a command needs.
 *
 * @throws NotBuiltError
 */
export async function serverPart<Name extends keyof ServerModule>(
  load: () => Promise<Partial<ServerModule>>,
  name: Name,
): Promise<ServerModule[Name]> {
  const part: Partial<ServerModule>[Name] = (await load())[name]
  if (part === undefined) throw new NotBuiltError(name)
  return part
}
