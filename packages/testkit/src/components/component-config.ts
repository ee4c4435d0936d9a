import { nearest } from '../config/nearest.ts'
import { TestkitError } from '../errors.ts'

type Config = Readonly<Record<string, unknown>>

/**
 * The configuration of a component of which all keys are known: any other would do nothing.
 *
 * @param optional keys without a default
 * @throws TestkitError TK_CONFIG_UNKNOWN_KEY naming the key that was probably meant
 */
export function knownConfig<D extends Config>(
  component: string,
  defaults: D,
  given: Config = {},
  optional: readonly string[] = [],
): D & Config {
  const known = [...Object.keys(defaults), ...optional]
  for (const key of Object.keys(given)) {
    if (known.includes(key)) continue
    const near = nearest(key, known)
    throw new TestkitError(
      'TK_CONFIG_UNKNOWN_KEY',
      `component "${component}" has no configuration key "${key}"` +
        (near === undefined ? `: use ${known.join(', ')}` : `; did you mean "${near}"?`),
    )
  }
  return { ...defaults, ...given }
}

/**
 * Settings of a database server. Which there are depends on its version: it refuses a misspelt one itself, and its start
 * fails with its own words. Only those that the kit sets cannot be given, because it would look for the server in vain.
 *
 * @param kept the names that the kit sets
 * @throws TestkitError TK_BAD_SPEC for one of those
 */
export function serverSettings(
  component: string,
  defaults: Config,
  given: Config = {},
  kept: readonly string[],
): Config {
  for (const key of Object.keys(given)) {
    if (!kept.includes(key.toLowerCase().replaceAll('_', '-'))) continue
    throw new TestkitError(
      'TK_BAD_SPEC',
      `component "${component}": "${key}" is set by the kit and cannot be configured`,
    )
  }
  return { ...defaults, ...given }
}
