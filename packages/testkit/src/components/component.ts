import { TestkitError } from '../errors.ts'
import { mustBeOneOf } from '../spec-check.ts'
import type { Availability, ServerSpec } from '../spec.ts'
import { glanceApi, glanceScrubber } from './glance.ts'
import { keystone } from './keystone.ts'
import { mariadb } from './mariadb.ts'
import { masakariApi, masakariEngine } from './masakari.ts'
import { postgres } from './postgres.ts'
import { rabbitmq } from './rabbitmq.ts'
import { redis } from './redis.ts'

/** What every component can be told. More is set by the configuration keys of its spec. */
export interface ComponentOptions {
  /** The server's name in the cluster. Default: the component's name. */
  readonly name?: string
  readonly config?: Readonly<Record<string, unknown>>
  /** Other servers that must run before. */
  readonly dependsOn?: readonly string[]
}

/** A maker of specs for a real server of this machine. */
export type ComponentFactory = (options: ComponentOptions) => ServerSpec

const factories = {
  redis,
  postgres,
  mariadb,
  rabbitmq,
  keystone,
  'masakari-api': masakariApi,
  'masakari-engine': masakariEngine,
  'glance-api': glanceApi,
  'glance-scrubber': glanceScrubber,
} as const satisfies Record<string, ComponentFactory>

export type ComponentName = keyof typeof factories

export const componentNames: readonly ComponentName[] = Object.keys(factories) as ComponentName[]

/** The spec of a component. Throws TK_BAD_SPEC for an unknown name. */
export function componentSpec(name: ComponentName, options: ComponentOptions = {}): ServerSpec {
  mustBeOneOf('a component', name, componentNames, unknownComponent)
  return factories[name]({ name, ...options })
}

/** Whether a component can run here: ask before anything is created, and skip the test with `why`. */
export async function componentAvailable(name: ComponentName): Promise<Availability> {
  return (await componentSpec(name).available?.()) ?? { ok: true }
}

/**
 * The reason to skip, or undefined. A component named in `MAINSTAY_TESTKIT_REQUIRE` (a list with commas) must be there:
 * then its absence is an error.
 *
 * @throws TestkitError TK_COMPONENT_MISSING, TK_BAD_SPEC for a list that names no component
 */
export async function skipReason(name: ComponentName): Promise<string | undefined> {
  const required = requiredComponents()
  const { ok, why } = await componentAvailable(name)
  if (ok) return undefined
  if (required.includes(name)) {
    throw new TestkitError(
      'TK_COMPONENT_MISSING',
      `component "${name}" is required (MAINSTAY_TESTKIT_REQUIRE) but missing: ${why}`,
    )
  }
  return why
}

/** A misspelt name would let the test be skipped after all. */
function requiredComponents(): readonly string[] {
  const words = (process.env['MAINSTAY_TESTKIT_REQUIRE'] ?? '').split(',').map((word) => word.trim())
  const named = words.filter((word) => word !== '')
  for (const word of named) mustBeOneOf('MAINSTAY_TESTKIT_REQUIRE', word, componentNames, unknownComponent)
  return named
}

function unknownComponent(what: string): never {
  throw new TestkitError('TK_BAD_SPEC', what)
}
