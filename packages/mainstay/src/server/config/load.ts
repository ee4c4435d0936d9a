import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, resolve } from 'node:path'

import { parse as parseToml } from 'smol-toml'
import { Value } from 'typebox/value'

import { InvalidInputError, errorMessage } from '../../core/errors.ts'
import { importMasakariConf } from '../../ha/index.ts'
import { describeProblem } from './describe-problem.ts'
import { ConfigSchema, type Config } from './schema.ts'

export interface ConfigSources {
  /** A TOML file. */
  readonly file?: string | undefined
  /** `section.key=value`, from the command line; later ones win. */
  readonly set?: readonly string[]
  /** A configuration of Masakari, read before everything else. */
  readonly importConf?: string | undefined
  /** `section.key` to value, from flags with a name of their own; they win over everything else. */
  readonly overrides?: Readonly<Record<string, unknown>>
  /** Variables `MAINSTAY__SECTION__KEY` are read from here. */
  readonly env?: Readonly<Record<string, string | undefined>>
}

type Sections = Record<string, Record<string, unknown>>

/**
 * Reads the configuration: defaults, then the file, then the environment, then the command line.
 *
 * @throws InvalidInputError naming the option, its value and what is wrong with it
 */
export async function loadConfig(sources: ConfigSources): Promise<Config> {
  const { file, importConf, set = [], overrides = {}, env = {} } = sources
  const sections: Sections = {}
  if (importConf !== undefined) merge(sections, await readMasakariConf(importConf))
  if (file !== undefined) merge(sections, await readToml(file))
  for (const [name, value] of Object.entries(env)) {
    const match = /^MAINSTAY__([A-Z0-9]+(?:__[A-Z0-9]+)*)__([A-Z0-9_]+)$/.exec(name)
    if (match !== null && value !== undefined) {
      put(sections, match[1]!.toLowerCase().replaceAll('__', '.'), match[2]!.toLowerCase(), value)
    }
  }
  for (const assignment of set) {
    const match = /^([a-z0-9_]+(?:\.[a-z0-9_]+)*)\.([a-z0-9_]+)=(.*)$/s.exec(assignment)
    if (match === null) throw new InvalidInputError(`--set ${assignment} is not of the form section.key=value.`)
    put(sections, match[1]!, match[2]!, match[3]!)
  }
  for (const [option, value] of Object.entries(overrides)) {
    const [section = '', key = ''] = option.split('.')
    if (value !== undefined) sectionOf(sections, section, [key])[key] = value
  }
  const config = Value.Default(ConfigSchema, sections)
  const problem = describeProblem(Value.Errors(ConfigSchema, config), ConfigSchema)
  if (problem !== undefined) throw new InvalidInputError(`${problem}${whereToLook(file)}`)
  return config as Config
}

async function readToml(file: string): Promise<Sections> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    throw new InvalidInputError(`The configuration ${file} cannot be read: ${errorMessage(error)}`, { cause: error })
  }
  try {
    return parseToml(text) as unknown as Sections
  } catch (error) {
    throw new InvalidInputError(`The configuration ${file} is not TOML: ${errorMessage(error)}`, { cause: error })
  }
}

/**
 * What a masakari.conf says, and what Masakari does where its file says nothing and we would do something else: whoever
 * switches must not find the API open, out of reach, or without the rules of their policy. Source: ha-api.md 4.3, 21.
 *
 * Options of parts that this program does not have are left out; `check` names what could not be used.
 */
async function readMasakariConf(file: string): Promise<Sections> {
  const { sections } = importMasakariConf(await readConf(file), { host: hostname() })
  const known = Object.entries(sections).filter(([section]) => Object.hasOwn(ConfigSchema.properties, section))
  const { server, auth, policy, ...rest } = structuredClone(Object.fromEntries(known)) as Sections
  const rules = { file: 'policy.yaml', directories: ['policy.d'], ...policy }
  const beside = (path: string): string => resolve(dirname(file), path)
  return {
    ...rest,
    server: { listen: '0.0.0.0:15868', ...server },
    auth: { strategy: 'keystone', ...auth },
    policy: { ...rules, file: beside(rules.file), directories: rules.directories.map(beside) },
  }
}

/** What of a masakari.conf has no meaning here or names an option that does not exist, in sentences. @throws InvalidInputError */
export async function importWarnings(file: string): Promise<readonly string[]> {
  return importMasakariConf(await readConf(file), { host: hostname() }).warnings
}

async function readConf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new InvalidInputError(`The configuration ${file} cannot be read: ${errorMessage(error)}`, { cause: error })
  }
}

function merge(sections: Sections, added: Sections): void {
  for (const [section, values] of Object.entries(added)) {
    if (!isTable(values))
      throw new InvalidInputError(`[${section}] must be a table: write its options below "[${section}]".`)
    Object.assign(sectionOf(sections, section, Object.keys(values)), values)
  }
}

/**
 * A value from the command line or the environment is TOML where it can be, and text otherwise.
 *
 * @param section its name; of a section in another one both, `events.openstack`
 */
function put(sections: Sections, section: string, key: string, text: string): void {
  const values = sectionOf(sections, section, [key])
  try {
    values[key] = parseToml(`value = ${text}`)['value']
  } catch (error) {
    if (!(error instanceof Error)) throw error
    values[key] = text
  }
}

/**
 * The options of a section so far; a section in another one is named with both. What every object has by itself (`__proto__`, `constructor`) is no section and no
 * option, and must not be written to; any other unknown name is found by the schema.
 *
 * @throws InvalidInputError
 */
function sectionOf(sections: Sections, section: string, keys: readonly string[]): Record<string, unknown> {
  const names = section.split('.')
  const inherited = [...names, ...keys].find((name) => name in Object.prototype)
  if (inherited !== undefined) throw new InvalidInputError(`There is no option ${inherited}.${whereToLook(undefined)}`)
  let options: Record<string, unknown> = sections
  for (const name of names) {
    const inner = (options[name] ??= {})
    if (!isTable(inner)) throw new InvalidInputError(`${section} is no section: ${name} is an option with a value.`)
    options = inner
  }
  return options
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function whereToLook(file: string | undefined): string {
  const places = file === undefined ? '' : ` (Looked for in ${file} and on the command line.)`
  return `${places} docs/reference/configuration.md lists all options.`
}
