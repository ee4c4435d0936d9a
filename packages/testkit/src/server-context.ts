import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { TestkitError } from './errors.ts'
import { nearest } from './config/nearest.ts'
import { lookUp, type Dictionary } from './config/placeholders.ts'
import type { DependencyAddress, ListenSpec, ServerContext } from './spec.ts'

/** The folders of one server. */
export interface ServerFolders {
  readonly dir: string
  readonly etc: string
  readonly dataDir: string
  readonly logDir: string
  readonly runDir: string
}

export function makeFolders(clusterDir: string, name: string): ServerFolders {
  const dir = join(clusterDir, name)
  const folders = {
    dir,
    etc: join(dir, 'etc'),
    dataDir: join(dir, 'data'),
    logDir: join(dir, 'log'),
    runDir: join(dir, 'run'),
  }
  for (const path of Object.values(folders)) mkdirSync(path, { recursive: true, mode: 0o711 })
  return folders
}

/** The address of a server's first listener. */
export function firstAddress(
  listen: readonly ListenSpec[],
  ports: Readonly<Record<string, number>>,
): { host: string; port: number; url: string } {
  const first = listen.find((spec) => spec.host !== 'unix')
  const port = first === undefined ? 0 : (ports[first.name] ?? 0)
  const host = first?.host ?? '127.0.0.1'
  return { host, port, url: port === 0 ? '' : `http://${host === '::1' ? '[::1]' : host}:${port}` }
}

export function buildContext<C extends object>(parts: {
  name: string
  folders: ServerFolders
  config: C
  listen: readonly ListenSpec[]
  ports: Readonly<Record<string, number>>
  sockets: Readonly<Record<string, string>>
  dbUrl: string
  runId: string
  deps: Readonly<Record<string, DependencyAddress>>
}): ServerContext<C> {
  const { name, folders, config, ports, sockets, dbUrl, runId, deps } = parts
  return {
    name,
    ...folders,
    config,
    ...firstAddress(parts.listen, ports),
    ports: { ...ports },
    sockets: { ...sockets },
    dbUrl,
    runId,
    deps,
    logFile: join(folders.logDir, `${name}.log`),
    pidFile: join(folders.runDir, `${name}.pid`),
  }
}

/** The substitution dictionary: the built-in names, and the configuration above them. */
export function dictionaryOf(context: ServerContext<object>): Dictionary {
  const { config, ...builtIn } = context
  return { ...builtIn, ...config }
}

/** Later dictionaries win; none of them is changed. */
export function mergeConfig<C extends object>(base: C | undefined, ...overrides: readonly (object | undefined)[]): C {
  return Object.assign({}, base, ...overrides) as C
}

/**
 * Refuses override keys that the server does not have: a typo would silently change nothing. Throws
 * TK_CONFIG_UNKNOWN_KEY.
 */
export function checkOverrideKeys(server: string, known: object, overrides: object): void {
  for (const key of Object.keys(overrides)) {
    if (key === 'dbUrl' || lookUp(known as Dictionary, key).found) continue
    const near = nearest(key, Object.keys(known))
    throw new TestkitError(
      'TK_CONFIG_UNKNOWN_KEY',
      `server "${server}" has no configuration key "${key}"${near === undefined ? '' : `; did you mean "${near}"?`} ` +
        '(allowUnknown: true accepts it)',
    )
  }
}
