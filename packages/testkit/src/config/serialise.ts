import { extname } from 'node:path'
import { TestkitError } from '../errors.ts'

/** How booleans look: `oslo` writes True and False. */
export type ConfigStyle = 'plain' | 'oslo'

/**
 * Writes an object in the language that the file's extension names: `.json`, `.yaml`/`.yml`, `.toml`, `.ini`/`.conf`/`.cnf`,
 * `.env`. `undefined` leaves an entry out; in INI and env files arrays are joined with commas.
 *
 * @throws TestkitError TK_BAD_SPEC for another extension. Source: testkit.md A3.1.
 */
export function serialise(value: object, file: string, style: ConfigStyle = 'plain'): string {
  switch (extname(file)) {
    case '.json':
      return `${JSON.stringify(value, undefined, 2)}\n`
    case '.yaml':
    case '.yml':
      return `${yaml(value, '').trimStart()}\n`
    case '.toml':
      return toml(value)
    case '.ini':
    case '.conf':
    case '.cnf':
      return ini(value, style)
    case '.env':
      return entries(value)
        .map(([key, item]) => `${key}=${formatScalar(item, style)}\n`)
        .join('')
    default:
      throw new TestkitError(
        'TK_BAD_SPEC',
        `cannot write an object to ${file}: use .json, .yaml, .toml, .ini, .conf or .env, or return a string`,
      )
  }
}

/** One value as it stands in an INI or env file. */
export function formatScalar(value: unknown, style: ConfigStyle): string {
  if (value === undefined || value === null) return ''
  if (typeof value === 'boolean' && style === 'oslo') return value ? 'True' : 'False'
  if (Array.isArray(value)) return value.map((item) => formatScalar(item, style)).join(',')
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function entries(value: object): [string, unknown][] {
  return Object.entries(value).filter(([, item]) => item !== undefined)
}

function isTable(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function ini(value: object, style: ConfigStyle): string {
  const line = ([key, item]: [string, unknown]): string => `${key} = ${formatScalar(item, style)}\n`
  const plain = entries(value).filter(([, item]) => !isTable(item))
  const sections = entries(value).filter((entry): entry is [string, object] => isTable(entry[1]))
  return [
    plain.map(line).join(''),
    ...sections.map(([name, section]) => `[${name}]\n${entries(section).map(line).join('')}`),
  ]
    .filter((part) => part !== '')
    .join('\n')
}

function toml(value: object, path: readonly string[] = []): string {
  const plain = entries(value).filter(([, item]) => !isTable(item))
  const tables = entries(value).filter((entry): entry is [string, object] => isTable(entry[1]))
  const head = path.length > 0 ? `[${path.map(tomlKey).join('.')}]\n` : ''
  const own = plain.map(([key, item]) => `${tomlKey(key)} = ${tomlValue(item)}\n`).join('')
  const parts = [
    own === '' && tables.length > 0 ? '' : head + own,
    ...tables.map(([key, table]) => toml(table, [...path, key])),
  ]
  return parts.filter((part) => part !== '').join('\n')
}

function tomlKey(key: string): string {
  return /^[\w-]+$/.test(key) ? key : JSON.stringify(key)
}

function tomlValue(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(tomlValue).join(', ')}]`
  if (isTable(value))
    return `{ ${entries(value)
      .map(([key, item]) => `${tomlKey(key)} = ${tomlValue(item)}`)
      .join(', ')} }`
  return JSON.stringify(value)
}

/** Strings are quoted as JSON, which YAML reads as the same string. */
function yaml(value: unknown, indent: string): string {
  if (Array.isArray(value)) {
    return value.length === 0 ? ' []' : value.map((item) => `\n${indent}-${yaml(item, `${indent}  `)}`).join('')
  }
  if (isTable(value)) {
    const own = entries(value)
    return own.length === 0
      ? ' {}'
      : own.map(([key, item]) => `\n${indent}${tomlKey(key)}:${yaml(item, `${indent}  `)}`).join('')
  }
  return ` ${JSON.stringify(value)}`
}
