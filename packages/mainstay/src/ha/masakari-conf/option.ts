import { InvalidInputError } from '../../core/errors.ts'

/** One option of masakari.conf. */
export interface ConfOption {
  readonly group: string
  readonly name: string
  readonly type: 'text' | 'integer' | 'boolean' | 'list' | 'dict'
  readonly min?: number
  readonly max?: number
  readonly choices?: readonly string[]
  readonly secret?: boolean
  /** Read again at SIGHUP. */
  readonly mutable?: boolean
  /** What it means; begins with a capital letter (lint rule M303). */
  readonly help: string
}

export type ConfValue = string | number | boolean | readonly string[] | Readonly<Record<string, string>>

const TRUE = ['true', '1', 'yes', 'on']
const FALSE = ['false', '0', 'no', 'off']

/**
 * Reads a value as its option wants it.
 *
 * @throws InvalidInputError naming the option, its value and what is allowed; a secret's value is not shown
 */
export function readValue(option: ConfOption, text: string): ConfValue {
  switch (option.type) {
    case 'text':
      return readText(option, text)
    case 'integer':
      return readInteger(option, text)
    case 'boolean':
      return readBoolean(option, text)
    case 'list':
      return splitList(text)
    case 'dict':
      return readDict(option, text)
    default:
      return option.type satisfies never
  }
}

function readText(option: ConfOption, text: string): string {
  if (option.choices !== undefined && !option.choices.includes(text)) {
    throw refused(option, text, `use one of ${option.choices.join(', ')}`)
  }
  return text
}

function readInteger(option: ConfOption, text: string): number {
  const { min = Number.MIN_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER } = option
  const value = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN
  if (value >= min && value <= max) return value
  throw refused(
    option,
    text,
    `it must be an integer${option.min === undefined ? '' : ` of at least ${min}`}${option.max === undefined ? '' : ` and at most ${max}`}`,
  )
}

function readBoolean(option: ConfOption, text: string): boolean {
  const value = text.toLowerCase()
  if (TRUE.includes(value)) return true
  if (FALSE.includes(value)) return false
  throw refused(option, text, 'it must be true or false')
}

/** `a:1,b:2`; a value may be a list in brackets, `main:[one,two]`. */
function readDict(option: ConfOption, text: string): Record<string, string> {
  const pairs = splitList(text).map((pair): [string, string] => {
    const colon = pair.indexOf(':')
    if (colon < 1) throw refused(option, text, 'it must be a list of name:value')
    return [unquoted(pair.slice(0, colon)), unquoted(pair.slice(colon + 1))]
  })
  return Object.fromEntries(pairs)
}

/** Splits at commas that are in no bracket and no quotes. */
function splitList(text: string): string[] {
  const parts: string[] = ['']
  let depth = 0
  let quote = ''
  for (const sign of text.replace(/^\{(.*)\}$/s, '$1')) {
    if (quote !== '') quote = sign === quote ? '' : quote
    else if (sign === '"' || sign === "'") quote = sign
    else if (sign === '[') depth += 1
    else if (sign === ']') depth -= 1
    if (sign === ',' && depth === 0 && quote === '') parts.push('')
    else parts.push(`${parts.pop() ?? ''}${sign}`)
  }
  return parts.map((part) => part.trim()).filter((part) => part !== '')
}

function unquoted(text: string): string {
  return text.trim().replace(/^(["'])(.*)\1$/s, '$2')
}

function refused(option: ConfOption, text: string, wanted: string): InvalidInputError {
  const shown = option.secret === true ? 'its value' : `the value "${text}"`
  return new InvalidInputError(`[${option.group}] ${option.name} cannot have ${shown}: ${wanted}.`)
}
