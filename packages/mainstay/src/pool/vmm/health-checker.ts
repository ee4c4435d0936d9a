import { runCommand, type CommandOptions, type CommandResult } from '../../core/child-process.ts'
import { errorMessage } from '../../core/errors.ts'
import { Executor, type ExecutorDependencies } from './executor.ts'
import type { BusMessage } from './messages.ts'
import type { VmmOptions } from './options.ts'

export interface HealthCheckerDependencies extends ExecutorDependencies {
  readonly publish: (message: BusMessage) => Promise<void>
  /** Runs the program that logs in; `runCommand` unless given. */
  readonly login?:
    | ((argv: readonly [string, ...string[]], options: CommandOptions) => Promise<CommandResult>)
    | undefined
}

/** ssh's own exit status for a connection that did not come about. */
const SSH_CONNECTION_ERROR = 255

/** After the login the answer may take as long again. */
const LOGIN_AND_ANSWER = 2

const MAX_OUTPUT_BYTES = 64 * 1024

/**
 * Looks whether machines can be worked with, by logging in, and tells the pool on its bus.
 *
 * Source: vm-pool.md A8.
 */
export class HealthChecker extends Executor {
  readonly #options: VmmOptions
  readonly #publish: (message: BusMessage) => Promise<void>
  readonly #login: NonNullable<HealthCheckerDependencies['login']>

  constructor(options: VmmOptions, { publish, login = runCommand, ...dependencies }: HealthCheckerDependencies) {
    super(dependencies, options)
    this.#options = options
    this.#publish = publish
    this.#login = login
  }

  /** Starts the check of a machine. */
  async runCheckHealth(name: string, ip: string): Promise<void> {
    await this.recycle()
    this.runDetached(async (signal) => await this.#check(name, ip, signal))
  }

  async #check(name: string, ip: string, signal: AbortSignal): Promise<void> {
    const msg = await this.#problem(ip, signal)
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
  async #problem(ip: string, signal: AbortSignal): Promise<string> {
    try {
      const timeoutMs = this.#options.vmSshCheckTimeout * 1000 * LOGIN_AND_ANSWER
      return judgeHello(
        await this.#login(helloCommand(this.#options, ip), { timeoutMs, signal, maxOutputBytes: MAX_OUTPUT_BYTES }),
      )
    } catch (error) {
      return `connection error: ${errorMessage(error)}`
    }
  }
}

/** What logs in to a machine and makes it say hello. */
export function helloCommand(options: VmmOptions, ip: string): readonly [string, ...string[]] {
  const { sshProgram, sshConfig, buildUser, vmSshCheckTimeout } = options
  const config = sshConfig === undefined ? [] : ['-F', sshConfig]
  const settings = [
    'BatchMode=yes',
    `ConnectTimeout=${vmSshCheckTimeout}`,
    // Addresses are used again by machines with other keys.
    'StrictHostKeyChecking=no',
    'UserKnownHostsFile=/dev/null',
  ]
  return [
    sshProgram,
    ...config,
    ...settings.flatMap((setting) => ['-o', setting]),
    '--',
    `${buildUser}@${ip}`,
    'echo hello',
  ]
}

/** @returns what is wrong, empty when the answer is exactly the expected one */
export function judgeHello({ exitCode, stdout, stderr }: CommandResult): string {
  if (exitCode === 0 && stdout === 'hello\n') return ''
  if (exitCode === SSH_CONNECTION_ERROR) return `connection error: ${stderr.trim()}`
  return `unexpected output (status ${exitCode}): ${stdout.slice(0, 200)}`
}
