import { MainstayError } from '../../core/errors.ts'
import { ALWAYS, NEVER, type Check } from './check.ts'

/** A policy rule or file cannot be read. */
export class PolicySyntaxError extends MainstayError {
  readonly code = 'MS_POLICY_SYNTAX'
  readonly status = 500
  readonly retryable = false
}

/**
 * Reads one rule in either form of the language.
 *
 * @throws PolicySyntaxError
 */
export function parseRule(rule: unknown): Check {
  if (Array.isArray(rule)) return parseList(rule)
  if (typeof rule === 'string') return parseText(rule)
  throw new PolicySyntaxError('A rule must be a text or a list. Write for example "role:admin or role:operator".')
}

/** `[["role:a", "rule:b"], ["role:c"]]` is "(a and b) or c"; an empty list is always true. */
function parseList(rule: readonly unknown[]): Check {
  if (rule.length === 0) return ALWAYS
  const alternatives = rule.map((part): Check => {
    const checks = (Array.isArray(part) ? part : [part]).map((text) => parseCheck(String(text)))
    return checks.length === 0 ? ALWAYS : { kind: 'and', checks }
  })
  return { kind: 'or', checks: alternatives }
}

function parseText(text: string): Check {
  const tokens = tokenize(text)
  if (tokens.length === 0) return ALWAYS
  const parser = new Parser(tokens, text)
  const check = parser.or()
  parser.end()
  return check
}

/** Words are split at white space; parentheses at the edges of a word stand for themselves. */
function tokenize(text: string): string[] {
  return text.split(/\s+/).flatMap((word) => {
    const opening = /^\(*/.exec(word)?.[0].length ?? 0
    const rest = word.slice(opening)
    const closing = closingParentheses(rest)
    const middle = rest.slice(0, rest.length - closing)
    return [
      ...Array.from({ length: opening }, () => '('),
      ...(middle === '' ? [] : [middle]),
      ...Array.from({ length: closing }, () => ')'),
    ]
  })
}

/** The parenthesis of `%(name)s` is followed by an s, so it is never at the end. */
function closingParentheses(text: string): number {
  return /\)*$/.exec(text)?.[0].length ?? 0
}

class Parser {
  readonly #tokens: readonly string[]
  readonly #text: string
  #at = 0

  constructor(tokens: readonly string[], text: string) {
    this.#tokens = tokens
    this.#text = text
  }

  or(): Check {
    const checks = [this.#and()]
    while (this.#take('or')) checks.push(this.#and())
    return checks.length === 1 ? checks[0]! : { kind: 'or', checks }
  }

  end(): void {
    if (this.#at < this.#tokens.length) throw this.#error(`"${this.#tokens[this.#at]}" was not expected`)
  }

  #and(): Check {
    const checks = [this.#not()]
    while (this.#take('and')) checks.push(this.#not())
    return checks.length === 1 ? checks[0]! : { kind: 'and', checks }
  }

  #not(): Check {
    if (this.#take('not')) return { kind: 'not', check: this.#not() }
    if (this.#take('(')) {
      const inner = this.or()
      if (!this.#take(')')) throw this.#error('a ")" is missing')
      return inner
    }
    const token = this.#tokens[this.#at]
    if (token === undefined || token === ')' || ['and', 'or'].includes(token.toLowerCase())) {
      throw this.#error('a check is missing')
    }
    this.#at += 1
    return parseCheck(token)
  }

  #take(token: string): boolean {
    if (this.#tokens[this.#at]?.toLowerCase() !== token) return false
    this.#at += 1
    return true
  }

  #error(what: string): PolicySyntaxError {
    return new PolicySyntaxError(`The policy rule "${this.#text}" cannot be read: ${what}.`)
  }
}

function parseCheck(text: string): Check {
  if (text === '@') return ALWAYS
  if (text === '!') return NEVER
  const colon = text.indexOf(':')
  if (colon < 1) throw new PolicySyntaxError(`The check "${text}" has not the form "kind:value".`)
  const kind = text.slice(0, colon)
  const value = text.slice(colon + 1)
  if (kind === 'rule' || kind === 'role') return { kind, name: value }
  if (kind === 'http' || kind === 'https') {
    if (!URL.canParse(text.replace(/%\([^)]*\)s/g, 'x'))) {
      throw new PolicySyntaxError(`The check "${text}" is no address. Write for example "http://127.0.0.1:9000/check".`)
    }
    return { kind: 'remote', url: text }
  }
  const literal = literalText(kind)
  return literal === undefined ? { kind: 'attribute', attribute: kind, value } : { kind: 'literal', literal, value }
}

/** `'quoted'`, `"quoted"`, numbers, `True`, `False`, `None` stand for themselves. */
function literalText(text: string): string | undefined {
  const quoted = /^(['"])(.*)\1$/.exec(text)
  if (quoted !== null) return quoted[2]
  return /^(?:True|False|None|-?\d+(?:\.\d+)?)$/.test(text) ? text : undefined
}
