import { basename } from 'node:path'
import { renderTemplate } from './config/placeholders.ts'
import { TestkitError } from './errors.ts'
import { handoverOf } from './ports/listeners.ts'
import { serverEnvironment } from './process/environment.ts'
import { requireProgram } from './process/executable.ts'
import type { Readiness } from './readiness/readiness.ts'
import { dictionaryOf } from './server-context.ts'
import type { ServerContext, ServerSpec } from './spec.ts'

/** What the kit itself puts into a server's environment. */
export interface KitVariables {
  /** `NAME=value`, carried by every process of the cluster. */
  readonly marker: string
  readonly handover: Readonly<Record<string, string>>
  readonly notifySocket: string | undefined
  readonly clockSkewMs: number
  /** Which of the server's processes this is. */
  readonly start: number
}

/** The server's whole environment. */
export function buildEnvironment<C extends object>(
  spec: ServerSpec<C>,
  context: ServerContext<C>,
  kit: KitVariables,
): Record<string, string> {
  const own = typeof spec.env === 'function' ? spec.env(context) : (spec.env ?? {})
  const [name = '', value = ''] = kit.marker.split('=')
  return serverEnvironment(spec.inheritEnv, own, {
    ...kit.handover,
    ...(kit.notifySocket === undefined ? {} : { NOTIFY_SOCKET: kit.notifySocket }),
    ...(kit.clockSkewMs === 0 ? {} : { MAINSTAY_TESTKIT_CLOCK_SKEW_MS: String(kit.clockSkewMs) }),
    [name]: value,
    MAINSTAY_TESTKIT_SERVER: spec.name,
    MAINSTAY_TESTKIT_START: String(kit.start),
  })
}

/**
 * Program and arguments, the program as a full path. A Node program is started so that it writes a report when asked.
 *
 * @throws TestkitError TK_CANNOT_EXECUTE, TK_CONFIG_PLACEHOLDER, TK_BAD_SPEC
 */
export function buildCommand<C extends object>(
  spec: ServerSpec<C>,
  context: ServerContext<C>,
  searchPath: string | undefined,
): string[] {
  const [program = '', ...args] = commandParts(spec, context)
  const path = requireProgram(program, { searchPath, cwd: spec.cwd ?? context.dataDir })
  return [path, ...(writesReports(spec, path) ? reportFlags(context.runDir) : []), ...args]
}

/** Whether the server is a Node program that can be asked for a report. */
export function writesReports<C extends object>(spec: ServerSpec<C>, program: string | undefined): boolean {
  return spec.diagnosticReport !== false && program !== undefined && basename(program) === 'node'
}

/** The spec's conditions as one. Adopted sockets queue connections before anybody listens: their default is an answer. */
export function readinessOf<C extends object>(spec: ServerSpec<C>): Readiness {
  const { ready, listen: [first] = [] } = spec
  if (ready !== undefined) return isList(ready) ? { all: ready } : ready
  if (first === undefined) return { fn: async () => true }
  return handoverOf(first) === 'none' ? { port: first.name } : { http: '/healthz' }
}

function commandParts<C extends object>(spec: ServerSpec<C>, context: ServerContext<C>): readonly string[] {
  const { command } = spec
  if (command === undefined) throw new TestkitError('TK_BAD_SPEC', `server "${spec.name}" has no command`)
  if (typeof command === 'function') return command(context)
  const dictionary = dictionaryOf(context)
  const parts = typeof command === 'string' ? [command] : command
  return parts.map((part) => renderTemplate(part, dictionary, { file: 'command' }))
}

function reportFlags(dir: string): string[] {
  return ['--report-on-signal', '--report-signal=SIGUSR2', `--report-directory=${dir}`]
}

function isList(ready: Readiness | readonly Readiness[]): ready is readonly Readiness[] {
  return Array.isArray(ready)
}
