import type { FenceEvidence, HostName } from '../../compute/index.ts'
import { runCommand } from '../../core/child-process.ts'
import type { Clock } from '../../core/clock.ts'
import { FenceFailedError, type Fence } from './fence.ts'

export interface CommandFenceOptions {
  /** Program and arguments that cut the host off; `{host}` in an argument is replaced by its name. */
  readonly off: readonly [string, ...string[]]
  /** Program and arguments that look whether it is off. */
  readonly verify: readonly [string, ...string[]]
  /** What `verify` must print for the host to be off, as a whole line. */
  readonly expect: string
  /** The longest that either may run. */
  readonly timeoutMs: number
}

/**
 * Fences with two commands of the operator's: one acts, the other looks. The exit code of the first proves nothing;
 * what the second prints, twice in a row, does.
 *
 * Source: goals.md, safety principle 1 ("BMC reads OFF twice", "exit codes are not proof").
 */
export class CommandFence implements Fence {
  readonly method = 'command'
  readonly #options: CommandFenceOptions
  readonly #clock: Clock

  constructor(options: CommandFenceOptions, clock: Clock) {
    this.#options = options
    this.#clock = clock
  }

  async cutOff(host: HostName, { signal }: { signal: AbortSignal }): Promise<readonly FenceEvidence[]> {
    const { timeoutMs } = this.#options
    const off = await runCommand(forHost(this.#options.off, host), { timeoutMs, signal })
    const evidence = [await this.#look(host, off.exitCode, signal), await this.#look(host, off.exitCode, signal)]
    return evidence
  }

  async #look(host: HostName, offExitCode: number | null, signal: AbortSignal): Promise<FenceEvidence> {
    const { expect, timeoutMs } = this.#options
    const command = forHost(this.#options.verify, host)
    const { stdout, exitCode } = await runCommand(command, { timeoutMs, signal })
    const lines = stdout.split('\n').map((line) => line.trim())
    if (exitCode === 0 && lines.includes(expect)) {
      return { at: this.#clock.now(), source: command.join(' '), saw: expect }
    }
    throw new FenceFailedError(
      `The fence command of host ${host} ended with ${offExitCode}, and "${command.join(' ')}" then printed ` +
        `"${stdout.trim().slice(0, 200)}" (exit ${exitCode}) instead of "${expect}". Look at the host's power yourself.`,
    )
  }
}

function forHost([program, ...args]: readonly [string, ...string[]], host: HostName): [string, ...string[]] {
  return [program, ...args.map((argument) => argument.replaceAll('{host}', host))]
}
