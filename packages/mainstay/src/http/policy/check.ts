import { toJson } from '../../core/json.ts'

/**
 * The rule language of oslo.policy as plain data.
 *
 *   rule     = expr | "" (always) | "@" (always) | "!" (never)
 *   expr     = and { "or" and }        and = not { "and" not }        not = [ "not" ] ( "(" expr ")" | check )
 *   check    = "role:" name | "rule:" name | attribute ":" value | literal ":" value | ( "http:" | "https:" ) address
 *
 * A value may name attributes of the target: `project_id:%(project_id)s`. The older list form means "or" of "and"s.
 *
 * Source: ha-api.md 4.3; the language is documented with oslo.policy.
 */
export type Check =
  | { readonly kind: 'always' }
  | { readonly kind: 'never' }
  | { readonly kind: 'not'; readonly check: Check }
  | { readonly kind: 'and' | 'or'; readonly checks: readonly Check[] }
  | { readonly kind: 'role' | 'rule'; readonly name: string }
  | { readonly kind: 'remote'; readonly url: string }
  | { readonly kind: 'attribute'; readonly attribute: string; readonly value: string }
  | { readonly kind: 'literal'; readonly literal: string; readonly value: string }

export const ALWAYS: Check = { kind: 'always' }
export const NEVER: Check = { kind: 'never' }

/** What is known of the caller; lists match when one of their members does. */
export type Credentials = Readonly<Record<string, CredentialValue>>
export type CredentialValue = string | boolean | null | readonly string[] | { readonly [name: string]: CredentialValue }

/** What the caller wants to act on. */
export type PolicyTarget = Readonly<Record<string, string | null>>

export interface Question {
  readonly target: PolicyTarget
  readonly credentials: Credentials
  /** Finds the rule that another one names. */
  readonly rule: (name: string) => Check | undefined
  /** What other servers have answered so far, by their address; see {@link AnswerNeeded}. */
  readonly answers?: ReadonlyMap<string, boolean>
}

/** A verdict depends on what the server at this address says: ask it, add the answer, and look again. */
export class AnswerNeeded extends Error {
  readonly url: string

  constructor(url: string) {
    super(`The policy asks ${url}.`)
    this.url = url
  }
}

/** Rules that name each other deeper than this go round in circles. */
const DEEPEST = 50

/**
 * Whether the check lets it pass. A rule that is unknown, or that refers to itself, does not.
 *
 * @throws AnswerNeeded
 */
export function isAllowed(check: Check, question: Question, depth = 0): boolean {
  if (depth > DEEPEST) return false
  const inner = (each: Check): boolean => isAllowed(each, question, depth + 1)
  switch (check.kind) {
    case 'always':
      return true
    case 'never':
      return false
    case 'not':
      return !inner(check.check)
    case 'and':
      return check.checks.every(inner)
    case 'or':
      return check.checks.some(inner)
    case 'rule': {
      const named = question.rule(check.name)
      return named !== undefined && inner(named)
    }
    case 'role':
      return hasRole(check.name, question)
    case 'remote':
      return remoteAnswer(check.url, question)
    case 'attribute':
      return attributeMatches(check.attribute, check.value, question)
    case 'literal':
      return substitute(check.value, question.target) === check.literal
    default:
      return check satisfies never
  }
}

/** An address that names what the target has not is not asked, and does not let it pass. */
function remoteAnswer(template: string, { target, answers }: Question): boolean {
  const url = substitute(template, target)
  if (url === undefined) return false
  const answer = answers?.get(url)
  if (answer === undefined) throw new AnswerNeeded(url)
  return answer
}

function hasRole(name: string, { target, credentials }: Question): boolean {
  const wanted = substitute(name, target)?.toLowerCase()
  const { roles } = credentials
  return Array.isArray(roles) && roles.some((role) => String(role).toLowerCase() === wanted)
}

function attributeMatches(attribute: string, value: string, { target, credentials }: Question): boolean {
  const wanted = substitute(value, target)
  if (wanted === undefined) return false
  let found: CredentialValue | undefined = credentials
  for (const part of attribute.split('.')) {
    if (typeof found !== 'object' || found === null || Array.isArray(found)) return false
    found = Object.hasOwn(found, part) ? (found as Readonly<Record<string, CredentialValue>>)[part] : undefined
  }
  if (found === undefined) return false
  return Array.isArray(found) ? found.some((each) => asText(each) === wanted) : asText(found) === wanted
}

/** Replaces `%(name)s`; undefined when the target has no such attribute. */
function substitute(text: string, target: PolicyTarget): string | undefined {
  if (!text.includes('%(')) return text
  let complete = true
  const result = text.replace(/%\(([^)]*)\)s/g, (_all, name: string) => {
    const value = Object.hasOwn(target, name) ? target[name] : undefined
    if (value === undefined) complete = false
    return asText(value ?? null)
  })
  return complete ? result : undefined
}

/** As the language's home writes values, since rules are written against that: `True`, `None`. */
function asText(value: CredentialValue): string {
  if (value === true) return 'True'
  if (value === false) return 'False'
  if (value === null) return 'None'
  return typeof value === 'string' ? value : toJson(value)
}
