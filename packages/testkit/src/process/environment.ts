import type { EnvValue } from '../spec.ts'

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
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined && isInherited(name, inherit)) env[name] = value
  }
  for (const [name, value] of Object.entries(own)) {
    const next = typeof value === 'function' ? value(env[name] ?? process.env[name]) : value
    if (next === undefined) delete env[name]
    else env[name] = next
  }
  return { ...env, ...added }
}

function isInherited(name: string, inherit: boolean | readonly string[] | undefined): boolean {
  if (inherit === true) return true
  if (inherit === false) return false
  return inherit === undefined ? inheritedByDefault.test(name) : inherit.includes(name)
}
