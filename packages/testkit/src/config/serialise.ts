import { basename, extname } from 'node:path'
import { TestkitError } from '../errors.ts'
import { envFile } from './env-file.ts'

/** How booleans look: `oslo` writes True and False. */
export type ConfigStyle = 'plain' | 'oslo'

/**
 * Writes an object in the language that the file's extension names: `.json`, `.yaml`/`.yml`, `.toml`, `.ini`/`.conf`/`.cnf`,
 * `.env` (also `.env.test`). `undefined` leaves an entry out; in INI and env files arrays are joined with commas.
 *
 * @throws TestkitError TK_BAD_SPEC for another extension, and for a value that the language cannot say: what is read back
 * would be something else. Source: testkit.md A3.1.
 */
export function serialise(value: object, file: string, style: ConfigStyle = 'plain'): string {
  switch (languageOf(file)) {
    case '.json':
      return `${JSON.stringify(value, undefined, 2)}\n`
    case '.yaml':
    case '.yml':
      return `${yaml(value, '').trimStart()}\n`
    case '.toml':
      return toml(value, file)
    case '.ini':
    case '.conf':
    case '.cnf':
      return ini(value, style, file)
    case '.env':
      return envFile(
        entries(value).map(([key, item]) => [key, formatScalar(item, style)]),
        file,
      )
    default:
      throw new TestkitError(
        'TK_BAD_SPEC',
        `cannot write an object to ${file}: use .json, .yaml, .toml, .ini, .conf or .env, or return a string`,
      )
  }
}

/** A file called `.env` has a name and no extension. */
function languageOf(file: string): string {
  return /^\.env(?:\.|$)/.test(basename(file)) ? '.env' : extname(file)
}

/** One value as it stands in an INI or env file. */
export function formatScalar(value: unknown, style: ConfigStyle): string {
  if (value === undefined || value === null) return ''
  if (typeof value === 'boolean' && style === 'oslo') return value ? 'True' : 'False'
  if (Array.isArray(value)) return value.map((item) => formatScalar(item, style)).join(',')
  if (value instanceof Date) return value.toISOString()
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function entries(value: object): [string, unknown][] {
  return Object.entries(value).filter(([, item]) => item !== undefined)
}

function isTable(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date)
}

function ini(value: object, style: ConfigStyle, file: string): string {
  const line = ([key, item]: [string, unknown]): string =>
    `${key} = ${continued(formatScalar(item, style), { file, key })}\n`
  const plain = entries(value).filter(([, item]) => !isTable(item))
  const sections = entries(value).filter((entry): entry is [string, object] => isTable(entry[1]))
  return [
    plain.map(line).join(''),
    ...sections.map(([name, section]) => `[${name}]\n${entries(section).map(line).join('')}`),
  ]
    .filter((part) => part !== '')
    .join('\n')
}

/**
 * A value of several lines goes on in lines that begin with white space; without it each would be an entry of its own, or
 * begin a section. MySQL's files know no such lines, and an empty one ends the value in others.
 */
function continued(text: string, where: { file: string; key: string }): string {
  if (!/[\n\r]/.test(text + where.key)) return text
  if (/\r|\n\s*(?:\n|$)/.test(text) || /[\n\r]/.test(where.key) || extname(where.file) === '.cnf')
    throw cannotSay(where.file, where.key, 'this line break')
  return text.replaceAll('\n', '\n\t')
}

function toml(value: object, file: string, path: readonly string[] = []): string {
  const plain = entries(value).filter(([, item]) => !isTable(item))
  const tables = entries(value).filter((entry): entry is [string, object] => isTable(entry[1]))
  const head = path.length > 0 ? `[${path.map(quotedKey).join('.')}]\n` : ''
  const own = plain.map(([key, item]) => `${quotedKey(key)} = ${tomlValue(item, { file, key })}\n`).join('')
  const parts = [
    own === '' && tables.length > 0 ? '' : head + own,
    ...tables.map(([key, table]) => toml(table, file, [...path, key])),
  ]
  return parts.filter((part) => part !== '').join('\n')
}

function quotedKey(key: string): string {
  return /^[\w-]+$/.test(key) ? key : JSON.stringify(key)
}

function tomlValue(value: unknown, where: { file: string; key: string }): string {
  if (value === null || value === undefined) throw cannotSay(where.file, where.key, 'null')
  if (Array.isArray(value)) return `[${value.map((item) => tomlValue(item, where)).join(', ')}]`
  if (value instanceof Date) return value.toISOString()
  if (typeof value === 'number' && !Number.isFinite(value)) return notFinite(value)
  if (isTable(value))
    return `{ ${entries(value)
      .map(([key, item]) => `${quotedKey(key)} = ${tomlValue(item, { ...where, key })}`)
      .join(', ')} }`
  return JSON.stringify(value)
}

/** As TOML writes it; YAML puts a dot before `inf` and `nan`. */
function notFinite(value: number): string {
  return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf'
}

function cannotSay(file: string, key: string, what: string): TestkitError {
  return new TestkitError(
    'TK_BAD_SPEC',
    `${file} cannot hold ${what}, which is the value of ${JSON.stringify(key)}. ` +
      'Leave the entry out with undefined, or return the text of the file yourself.',
  )
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
      : own.map(([key, item]) => `\n${indent}${quotedKey(key)}:${yaml(item, `${indent}  `)}`).join('')
  }
  if (typeof value === 'number' && !Number.isFinite(value)) return ` ${notFinite(value).replace(/[in]/, '.$&')}`
  return ` ${JSON.stringify(value)}`
}
