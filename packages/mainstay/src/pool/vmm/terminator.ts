import { errorMessage } from '../../core/errors.ts'
import { Executor } from './executor.ts'
import { hookCommand, runVmmHook, type RunVmmHook } from './hook.ts'
import type { BusMessage } from './messages.ts'
import { groupOptions, type VmmOptions } from './options.ts'
import type { WorkerDependencies } from './spawner.ts'

/** A machine whose end is wanted. */
export interface DoomedMachine {
  readonly ip: string
  readonly name: string
  readonly group: number
}

/**
 * Ends machines by the groups' terminate hooks, and tells the pool on its bus how each one went.
 *
 * Source: vm-pool.md A8.
 */
export class Terminator extends Executor {
  readonly #options: VmmOptions
  readonly #publish: (message: BusMessage) => Promise<void>
  readonly #runHook: RunVmmHook

  constructor(options: VmmOptions, { publish, runHook = runVmmHook, ...dependencies }: WorkerDependencies) {
    super(dependencies, options)
    this.#options = options
    this.#publish = publish
    this.#runHook = runHook
  }

  /** Starts the end of a machine. @throws SpawnFailError when the group has no usable hook */
  async terminateVm(ip: string, name: string, group: number): Promise<void> {
    await this.recycle()
    const machine = { ip, name, group }
    hookCommand(this.#options.groups[group]?.terminatePlaybook, 'terminate', machine)
    this.runDetached(async (signal) => await this.#terminate(machine, signal))
  }

  async #terminate(machine: DoomedMachine, signal: AbortSignal): Promise<void> {
    const { ip, name, group } = machine
    const answer = { topic: 'vm_terminated', vm_ip: ip, vm_name: name, group } as const
    let message: BusMessage
    try {
      await terminateMachine(this.#options, machine, { runHook: this.#runHook, signal })
      message = { ...answer, result: 'OK' }
    } catch (error) {
      this.logger.error({ vm: name, group, err: error }, `Machine ${name} could not be ended: ${errorMessage(error)}`)
      message = { ...answer, result: 'failed', msg: errorMessage(error) }
    }
    try {
      await this.#publish(message)
    } catch (error) {
      this.logger.error(
        { vm: name, group, err: error },
        `The pool could not be told how the end of machine ${name} went.`,
      )
    }
  }
}

/** How long a terminate hook may take: the specification has no option for it, and nothing waits for ever. */
const TERMINATE_TIMEOUT_MS = 3_600_000

/** Ends a machine. @throws SpawnFailError when the hook failed; the signal's reason */
export async function terminateMachine(
  options: VmmOptions,
  { ip, name, group }: DoomedMachine,
  { runHook, signal }: { runHook: RunVmmHook; signal: AbortSignal },
): Promise<void> {
  const { command, env } = hookCommand(groupOptions(options, group).terminatePlaybook, 'terminate', { ip, name, group })
  await runHook(command, { what: 'terminate', env, timeoutMs: TERMINATE_TIMEOUT_MS, signal })
}
