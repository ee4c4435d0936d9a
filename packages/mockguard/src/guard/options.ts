import { nativeJson } from '../core/natives.ts'
import type { Kind } from '../core/leak.ts'

export type Mode = 'fail' | 'warn' | 'off' | 'restore' | 'restore+fail'

export interface AllowEntry {
  /** A path as printed, or a pattern for it. */
  readonly path: string | RegExp
  /** Only in tests whose full name contains or matches this. */
  readonly test?: string | RegExp
  /** Why this mock may stay. An entry without a reason is an error. */
  readonly reason: string
  /** The last day (YYYY-MM-DD) on which the entry counts. An expired entry fails the run. */
  readonly until?: string
}

export interface MockguardOptions {
  /** What happens to a dangling mock. Default `fail`; the environment variable MOCKGUARD wins. */
  readonly mode?: Mode
  /**
   * `tracked`: creators and watched targets only. `file`: also every loaded module at the end of a file. `test`: every
   * loaded module after every test. Default `file`; MOCKGUARD_SCAN wins.
   */
  readonly scan?: 'tracked' | 'file' | 'test'
  /** How deep a module is walked: module = 1, members of its exports = 2. Default 2; MOCKGUARD_DEPTH wins. */
  readonly depth?: number
  /** Skip the remaining tests of a file after its first leak. Default false. */
  readonly failFast?: boolean
  /** Report the same mock in the same place once per file. Default true. */
  readonly onlyUnique?: boolean
  /** Also plain patches, changed implementations and process state (K14–K16). Default false; MOCKGUARD_STRICT=1 wins. */
  readonly strict?: boolean
  readonly kinds?: { readonly include?: readonly Kind[]; readonly exclude?: readonly Kind[] }
  readonly allow?: readonly (string | RegExp | AllowEntry)[]
  /** A file of leaks that are tolerated until they are fixed, written by `mockguard --write-baseline`. */
  readonly baseline?: string
  /** JSON lines go here, one finding each; MOCKGUARD_REPORT wins. Absolute, or relative to the project. */
  readonly report?: string
  /** A JUnit file with the findings as properties. MOCKGUARD_JUNIT wins. */
  readonly junit?: string
  /** Annotations for GitHub. Default: on when GITHUB_ACTIONS is set. */
  readonly github?: boolean
}

export interface Settings {
  readonly mode: Mode
  readonly scan: 'tracked' | 'file' | 'test'
  readonly depth: number
  readonly failFast: boolean
  readonly onlyUnique: boolean
  readonly strict: boolean
  readonly kinds: { readonly include?: readonly Kind[]; readonly exclude?: readonly Kind[] }
  readonly allow: readonly AllowEntry[]
  readonly baseline: string | null
  readonly report: string | null
  readonly junit: string | null
  readonly github: boolean
  /** The absolute folder that paths are relative to. */
  readonly root: string
}

const modes: readonly string[] = ['fail', 'warn', 'off', 'restore', 'restore+fail'] satisfies Mode[]
const scans: readonly string[] = ['tracked', 'file', 'test']

/** A setting that cannot be meant. `code` is stable; the text says which one and what is accepted. */
export class MockguardConfigError extends Error {
  readonly code = 'MOCKGUARD_CONFIG'
  override readonly name = 'MockguardConfigError'
}

/** Options with their defaults, and what the environment says instead. Throws MockguardConfigError. */
export function resolveSettings(
  options: MockguardOptions,
  root: string,
  env: NodeJS.ProcessEnv = process.env,
): Settings {
  const depth = env['MOCKGUARD_DEPTH'] === undefined ? (options.depth ?? 2) : Number(env['MOCKGUARD_DEPTH'])
  if (!Number.isInteger(depth) || depth < 1)
    throw new MockguardConfigError(`depth must be a whole number from 1, got ${depth}`)
  return {
    mode: oneOf(modes, env['MOCKGUARD'] ?? options.mode ?? 'fail', 'MOCKGUARD / mode') as Mode,
    scan: oneOf(scans, env['MOCKGUARD_SCAN'] ?? options.scan ?? 'file', 'MOCKGUARD_SCAN / scan') as Settings['scan'],
    depth,
    failFast: truthy(env['MOCKGUARD_FAIL_FAST']) ?? options.failFast ?? false,
    onlyUnique: truthy(env['MOCKGUARD_ONLY_UNIQUE']) ?? options.onlyUnique ?? true,
    strict: truthy(env['MOCKGUARD_STRICT']) ?? options.strict ?? false,
    kinds: options.kinds ?? {},
    allow: (options.allow ?? []).map(allowEntry),
    baseline: absolute(env['MOCKGUARD_BASELINE'] ?? options.baseline, root),
    report: absolute(env['MOCKGUARD_REPORT'] ?? options.report, root),
    junit: absolute(env['MOCKGUARD_JUNIT'] ?? options.junit, root),
    github: options.github ?? env['GITHUB_ACTIONS'] === 'true',
    root,
  }
}

/** Truthy words are those of the reference (testkit.md B1): true, 1, t, y, yes, on, set. */
function truthy(word: string | undefined): boolean | undefined {
  return word === undefined || word === '' ? undefined : /^(true|1|t|y|yes|on|set)$/i.test(word)
}

function oneOf(words: readonly string[], word: string, name: string): string {
  if (words.includes(word)) return word
  throw new MockguardConfigError(`${name} must be one of ${words.join(', ')}; got ${nativeJson.stringify(word)}`)
}

function absolute(file: string | undefined, root: string): string | null {
  if (file === undefined || file === '') return null
  return file.startsWith('/') ? file : `${root}/${file}`
}

function allowEntry(entry: string | RegExp | AllowEntry): AllowEntry {
  if (typeof entry === 'string' || entry instanceof RegExp) {
    throw new MockguardConfigError(
      `allow entry ${String(entry)} has no reason: write { path: ${String(entry)}, reason: '…' }`,
    )
  }
  if (typeof entry.reason !== 'string' || entry.reason.trim() === '') {
    throw new MockguardConfigError(`allow entry ${String(entry.path)} has no reason: say why this mock may stay`)
  }
  if (entry.until !== undefined && !/^\d{4}-\d{2}-\d{2}$/.test(entry.until)) {
    throw new MockguardConfigError(`allow entry ${String(entry.path)}: until must be YYYY-MM-DD, got ${entry.until}`)
  }
  return entry
}
