import { providerError, ProviderUnsupportedError } from '../errors.ts'
import { judgeHookFailure } from './failure-class.ts'
import { HookAnswerError } from './hook-answer-error.ts'
import { fillIn, type HookEnvironment } from './hook-environment.ts'
import { HookOutputError } from './hook-output.ts'
import {
  DEFAULT_COMMAND_SETTINGS,
  type CommandHooks,
  type CommandProviderOptions,
  type CommandSettings,
} from './options.ts'
import { HookFailedError, runHook, type HookOutcome } from './run-hook.ts'

export type HookName = keyof CommandHooks

/** Hooks that answer a question: their output is data, so all of it counts. */
const QUESTIONS: ReadonlySet<HookName> = new Set(['list', 'describe', 'quota', 'listResources'])

/** Hooks after which a machine runs. */
const STARTERS: ReadonlySet<HookName> = new Set(['create', 'start', 'reset'])

/** What each hook does, for the error of a provider that has none. */
const DEEDS: Readonly<Record<HookName, string>> = {
  create: 'make machines',
  destroy: 'destroy machines',
  list: 'list its machines',
  describe: 'describe a machine',
  start: 'start machines',
  stop: 'stop machines',
  reset: 'reset machines',
  quota: 'tell its quota',
  listResources: 'list other resources',
  destroyResource: 'destroy other resources',
}

/** The hooks of one provider: each runs with its bounds, and its failures become the provider's. */
export class Hooks {
  readonly settings: CommandSettings
  readonly #options: CommandProviderOptions

  constructor(options: CommandProviderOptions) {
    this.#options = options
    this.settings = { ...DEFAULT_COMMAND_SETTINGS, ...options.settings }
  }

  has(name: HookName): boolean {
    return this.#options.hooks[name] !== undefined
  }

  /** @throws ProviderError, or the signal's reason */
  async run(name: HookName, environment: HookEnvironment, signal: AbortSignal): Promise<HookOutcome> {
    const { name: provider, installation, hooks, cwd, env, clock } = this.#options
    const command = hooks[name]
    if (command === undefined) throw new ProviderUnsupportedError(provider, DEEDS[name])
    const full = { ...env, ...environment, MAINSTAY_INSTALLATION: installation, MAINSTAY_PROVIDER: provider }
    const { killGraceMs, containment, maxAnswerBytes } = this.settings
    return await this.failuresOf(async () => {
      return await runHook(fillIn(command, full), {
        name,
        signal,
        clock,
        cwd,
        killGraceMs,
        containment,
        env: full,
        timeoutMs: this.#timeoutMs(name),
        ...(QUESTIONS.has(name) ? { wholeOutputBytes: maxAnswerBytes } : {}),
      })
    })
  }

  /** Runs `work` and gives the failures of hooks the class that they have for the provider. @throws ProviderError */
  async failuresOf<T>(work: () => T | Promise<T>): Promise<T> {
    const { name: provider } = this.#options
    try {
      return await work()
    } catch (error) {
      if (error instanceof HookFailedError || error instanceof HookOutputError) {
        const { class: kind, message, retryAfterMs } = judgeHookFailure(error)
        throw providerError(kind, provider, `Provider ${provider}: ${message}`, { cause: error, retryAfterMs })
      }
      if (error instanceof HookAnswerError) {
        throw providerError('transient', provider, `Provider ${provider}: ${error.message}`, { cause: error })
      }
      throw error
    }
  }

  #timeoutMs(name: HookName): number {
    const { createTimeoutMs, destroyTimeoutMs, askTimeoutMs } = this.settings
    if (STARTERS.has(name)) return createTimeoutMs
    return QUESTIONS.has(name) ? askTimeoutMs : destroyTimeoutMs
  }
}
