import type { Clock } from '../../../core/clock.ts'
import type { HookCommand, HookContainment } from './run-hook.ts'

/**
 * The programs that stand between us and the machines. In their arguments, `${MAINSTAY_…}` stands for the variable of that
 * name; see docs/how-to/pool-providers.md.
 */
export interface CommandHooks {
  readonly create: HookCommand
  readonly destroy: HookCommand
  /** Without it nothing can be found that a crash left behind. */
  readonly list?: HookCommand | undefined
  /** Asked for one machine; where it is missing, the whole list is asked for. */
  readonly describe?: HookCommand | undefined
  readonly start?: HookCommand | undefined
  readonly stop?: HookCommand | undefined
  readonly reset?: HookCommand | undefined
  readonly quota?: HookCommand | undefined
  readonly listResources?: HookCommand | undefined
  readonly destroyResource?: HookCommand | undefined
}

export interface CommandSettings {
  /** The longest that making, starting or resetting a machine may take. */
  readonly createTimeoutMs: number
  /** The longest that destroying or stopping one may take. */
  readonly destroyTimeoutMs: number
  /** The longest that a question may take. */
  readonly askTimeoutMs: number
  /** How long a hook that is ended has to clean up before it is killed. */
  readonly killGraceMs: number
  /** How often a machine that is still being built is looked at. */
  readonly pollMs: number
  /** The longest list that is read; a longer one is an error, never cut. */
  readonly maxAnswerBytes: number
  readonly containment: HookContainment
}

export const DEFAULT_COMMAND_SETTINGS: CommandSettings = {
  createTimeoutMs: 1_800_000,
  destroyTimeoutMs: 300_000,
  askTimeoutMs: 60_000,
  killGraceMs: 5_000,
  pollMs: 2_000,
  maxAnswerBytes: 16 * 1024 * 1024,
  containment: 'group',
}

export interface CommandProviderOptions {
  readonly name: string
  readonly installation: string
  readonly clock: Clock
  readonly hooks: CommandHooks
  readonly settings?: Partial<CommandSettings>
  /** Where hooks run; this process's directory unless given. */
  readonly cwd?: string | undefined
  /** Added to the environment of every hook. */
  readonly env?: Readonly<Record<string, string>>
}
