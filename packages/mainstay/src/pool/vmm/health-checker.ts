import type { Clock } from '../../core/clock.ts'
import { withDeadline } from '../../core/deadline.ts'
import { errorMessage } from '../../core/errors.ts'
import type { HealthCheck } from '../check/index.ts'
import { DEFAULT_SSH_CHECK, sshCheck, type SshCheckOptions } from '../check/ssh-check.ts'
import { Executor, type ExecutorDependencies } from './executor.ts'
import type { BusMessage } from './messages.ts'
import type { VmmOptions } from './options.ts'

export interface HealthCheckerDependencies extends ExecutorDependencies {
  readonly publish: (message: BusMessage) => Promise<void>
  /** Looks at a machine; by a login unless given. */
  readonly check?: HealthCheck | undefined
}

/** After the login the answer may take as long again. */
const LOGIN_AND_ANSWER = 2

/**
 * Looks whether machines can be worked with, by logging in, and tells the pool on its bus: one message for each check, whatever
 * comes of it.
 *
 * Source: vm-pool.md A8.
 */
export class HealthChecker extends Executor {
  readonly #clock: Clock
  readonly #publish: (message: BusMessage) => Promise<void>
  readonly #check: HealthCheck
  readonly #timeoutMs: number

  constructor(options: VmmOptions, { publish, check, ...dependencies }: HealthCheckerDependencies) {
    super(dependencies, options)
    this.#clock = dependencies.clock
    this.#publish = publish
    this.#check = check ?? sshCheck(loginOptions(options))
    this.#timeoutMs = options.vmSshCheckTimeout * 1000 * LOGIN_AND_ANSWER
  }

  /** Starts the check of a machine. */
  async runCheckHealth(name: string, ip: string): Promise<void> {
    await this.recycle()
    this.runDetached(async (signal) => await this.#checkAndTell(name, ip, signal))
  }

  async #checkAndTell(name: string, ip: string, signal: AbortSignal): Promise<void> {
    const msg = await this.#problem(name, ip, signal)
    try {
      await this.#publish({
        topic: 'health_check',
        vm_ip: ip,
        vm_name: name,
        result: msg === '' ? 'OK' : 'failed',
        msg,
      })
    } catch (error) {
      this.logger.error({ vm: name, err: error }, `The pool could not be told of the check of machine ${name}.`)
    }
  }

  /** @returns what is wrong with the machine, empty when it is well */
  async #problem(name: string, ip: string, signal: AbortSignal): Promise<string> {
    const vm = { name, ip, group: '', provider: null, providerId: null, providerData: null }
    const bounds = { clock: this.#clock, what: `The check of machine ${name}`, timeoutMs: this.#timeoutMs, signal }
    try {
      const { passed, reason } = await withDeadline(bounds, async (until) => await this.#check(vm, { signal: until }))
      return passed ? '' : reason
    } catch (error) {
      return `connection error: ${errorMessage(error)}`
    }
  }
}

/** How the reference logs in: by its own client configuration, as its own user. Source: vm-pool.md A7, A8. */
export function loginOptions(options: VmmOptions): SshCheckOptions {
  const { sshProgram: program, sshConfig: configFile = null, buildUser: user, vmSshCheckTimeout } = options
  const settings = DEFAULT_SSH_CHECK.settings.map((setting) =>
    setting.startsWith('ConnectTimeout=') ? `ConnectTimeout=${vmSshCheckTimeout}` : setting,
  )
  return { ...DEFAULT_SSH_CHECK, program, configFile, user, settings, port: configFile === null ? 22 : null }
}
