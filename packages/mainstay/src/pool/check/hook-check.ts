import { CheckNotRunError, PASSED, failed, type HealthCheck } from './check.ts'
import { fillIn, machineEnvironment } from '../provider/command/hook-environment.ts'
import {
  HookFailedError,
  excerpt,
  runHook,
  type HookCommand,
  type HookContainment,
} from '../provider/command/run-hook.ts'

export interface HookCheckOptions {
  /** Gets the variables of vm-pool.md A8, also in its arguments as `${MAINSTAY_…}`. Status 0 is well. */
  readonly command: HookCommand
  readonly cwd?: string | undefined
  readonly env?: Readonly<Record<string, string>>
  readonly containment?: HookContainment
  /** How long it has to clean up when its time is over, in milliseconds. */
  readonly killGraceMs?: number
}

/** A backstop: whoever asks for a check ends it much earlier. */
const LONGEST_MS = 3_600_000

const DEFAULT_KILL_GRACE_MS = 1_000

/** Runs a program of the user. Source: vm-pool.md C7. */
export function hookCheck(options: HookCheckOptions): HealthCheck {
  const { command, cwd, env = {}, containment = 'group', killGraceMs = DEFAULT_KILL_GRACE_MS } = options
  return async (vm, { signal }) => {
    const { name, ip: address, group: pool, providerId, providerData } = vm
    const variables = { ...env, ...machineEnvironment({ name, providerId, address, pool, data: providerData ?? {} }) }
    try {
      await runHook(fillIn(command, variables), {
        name: 'check',
        timeoutMs: LONGEST_MS,
        killGraceMs,
        signal,
        cwd,
        containment,
        env: variables,
      })
      return PASSED
    } catch (error) {
      if (!(error instanceof HookFailedError)) throw error
      if (error.why === 'missing' || error.why === 'not_started') {
        throw new CheckNotRunError(name, error.message, { cause: error })
      }
      return failed(`status ${error.exitCode ?? 'none'}: ${excerpt(error.output)}`)
    }
  }
}
