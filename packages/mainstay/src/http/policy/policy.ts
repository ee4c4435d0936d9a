import type { Clock } from '../../core/clock.ts'
import type { RequestContext } from '../../core/context.ts'
import { errorMessage, MainstayError } from '../../core/errors.ts'
import type { Logger } from '../../core/logging.ts'
import { askServer, type AskServer } from './ask-server.ts'
import { AnswerNeeded, isAllowed, type Check, type Credentials, type Question } from './check.ts'
import { parseRule } from './parse.ts'
import { fingerprint, readPolicyFiles, type PolicyPaths } from './policy-file.ts'

/** Code asked for a rule that nobody registered. Source: lint rule M334. */
export class PolicyNotRegisteredError extends MainstayError {
  readonly code = 'MS_POLICY_NOT_REGISTERED'
  readonly status = 500
  readonly retryable = false
}

export interface PolicyDeps {
  readonly clock: Clock
  readonly logger: Logger
  /** Every rule that may be asked for, with what holds when no file says otherwise. */
  readonly defaults: Readonly<Record<string, string>>
  readonly paths?: PolicyPaths
  /** How often the files are looked at. */
  readonly recheckMs?: number
  /** How long a server that a rule asks may take [remote_timeout]. */
  readonly remoteTimeoutMs?: number
}

const DEFAULT_RECHECK_MS = 1000
const DEFAULT_REMOTE_TIMEOUT_MS = 5000

/** The most servers that one verdict may depend on. */
const MOST_QUESTIONS = 20

/**
 * Who may do what. Files are read again when they change; one that cannot be read any more leaves the rules as they
 * were, and is complained about.
 *
 * Source: ha-api.md 4.3.
 */
export class Policy {
  readonly #deps: PolicyDeps
  readonly #defaults: ReadonlyMap<string, Check>
  readonly #paths: PolicyPaths
  readonly #ask: AskServer
  #fromFiles: ReadonlyMap<string, Check>
  #fingerprint: string
  #checkedAt: number

  /** @throws PolicySyntaxError when a default or a file cannot be read */
  constructor(deps: PolicyDeps) {
    this.#deps = deps
    const { clock, logger, remoteTimeoutMs: timeoutMs = DEFAULT_REMOTE_TIMEOUT_MS } = deps
    this.#ask = askServer({ clock, logger, timeoutMs })
    this.#paths = deps.paths ?? { file: null, directories: [] }
    this.#defaults = new Map(Object.entries(deps.defaults).map(([name, rule]) => [name, parseRule(rule)]))
    this.#fingerprint = fingerprint(this.#paths)
    this.#fromFiles = readPolicyFiles(this.#paths)
    this.#checkedAt = deps.clock.monotonic()
  }

  /**
   * Whether a rule lets the caller do it. Its target is the caller's own project and user. The answer is there at once
   * unless it depends on another server.
   *
   * @throws PolicyNotRegisteredError
   */
  authorize(rule: string, context: RequestContext): boolean | Promise<boolean> {
    this.#reload()
    if (!this.#defaults.has(rule)) {
      throw new PolicyNotRegisteredError(`The policy rule ${rule} is not registered. Add it to the default rules.`)
    }
    const fromFiles = this.#fromFiles
    const question: Question = {
      target: { project_id: context.projectId, user_id: context.userId },
      credentials: credentialsOf(context),
      rule: (name) => fromFiles.get(name) ?? this.#defaults.get(name),
    }
    const verdict = verdictOf(rule, question)
    return typeof verdict === 'boolean' ? verdict : this.#askAround(rule, question, verdict)
  }

  /** Reads the files again now, whether or not they look changed. */
  reload(): void {
    this.#fingerprint = ''
    this.#checkedAt = Number.NEGATIVE_INFINITY
    this.#reload()
  }

  async #askAround(rule: string, question: Question, first: AnswerNeeded): Promise<boolean> {
    const answers = new Map<string, boolean>()
    let verdict: boolean | AnswerNeeded = first
    while (typeof verdict !== 'boolean' && answers.size < MOST_QUESTIONS) {
      const { target, credentials } = question
      answers.set(verdict.url, await this.#ask(verdict.url, { rule, target, credentials }))
      verdict = verdictOf(rule, { ...question, answers })
    }
    return verdict === true
  }

  #reload(): void {
    const { clock, logger, recheckMs = DEFAULT_RECHECK_MS } = this.#deps
    if (clock.monotonic() - this.#checkedAt < recheckMs) return
    this.#checkedAt = clock.monotonic()
    const found = fingerprint(this.#paths)
    if (found === this.#fingerprint) return
    this.#fingerprint = found
    try {
      this.#fromFiles = readPolicyFiles(this.#paths)
      logger.info({ rules: [...this.#fromFiles.keys()] }, 'The policy files changed and were read again')
    } catch (error) {
      logger.error({ err: error }, `The rules stay as they were: ${errorMessage(error)}`)
    }
  }
}

/** The verdict, or what must be asked before there is one. */
function verdictOf(rule: string, question: Question): boolean | AnswerNeeded {
  try {
    return isAllowed({ kind: 'rule', name: rule }, question)
  } catch (error) {
    if (error instanceof AnswerNeeded) return error
    throw error
  }
}

/** The caller as rules see it. Source: ha-api.md 20.4. */
function credentialsOf(context: RequestContext): Credentials {
  return {
    user_id: context.userId,
    user_name: context.userName,
    user_domain_id: context.userDomainId,
    project_id: context.projectId,
    project_name: context.projectName,
    project_domain_id: context.projectDomainId,
    system_scope: context.systemScope,
    roles: context.roles,
    is_admin: context.isAdmin,
    is_admin_project: context.isAdminProject,
  }
}
