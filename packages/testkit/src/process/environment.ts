import type { EnvValue } from '../spec.ts'

/** Descriptors and the socket of this very process, which no child of it has: it would take others for them. */
const ofThisProcess: ReadonlySet<string> = new Set([
  'MAINSTAY_LISTEN_FDS',
  'LISTEN_FDS',
  'LISTEN_FDNAMES',
  'LISTEN_PID',
  'NOTIFY_SOCKET',
])

const inheritedByDefault = /^(?:PATH|HOME|LANG|LC_.*|TZ|TMPDIR)$/

/**
 * The environment of a server: what it inherits, then the spec's variables; a function gets the old value; undefined
 * removes. `NODE_OPTIONS` never comes along by accident. Source: testkit.md A3.
 */
export function serverEnvironment(
  inherit: boolean | readonly string[] | undefined,
  own: Readonly<Record<string, EnvValue>>,
  added: Readonly<Record<string, string>>,
): Record<string, string> {
  const env: Record<string, string> = {}
  for (const [name, value] of Object.entries(withoutHandover(process.env))) {
    if (value !== undefined && isInherited(name, inherit)) env[name] = value
  }
  for (const [name, value] of Object.entries(own)) {
    const next = typeof value === 'function' ? value(env[name] ?? process.env[name]) : value
    if (next === undefined) delete env[name]
    else env[name] = next
  }
  return { ...env, ...added }
}

/** What a child that is handed no descriptors may have of an environment. */
export function withoutHandover(
  env: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !ofThisProcess.has(name)))
}

function isInherited(name: string, inherit: boolean | readonly string[] | undefined): boolean {
  if (inherit === true) return true
  if (inherit === false) return false
  return inherit === undefined ? inheritedByDefault.test(name) : inherit.includes(name)
}
