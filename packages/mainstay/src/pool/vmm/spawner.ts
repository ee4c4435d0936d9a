import { errorMessage } from '../../core/errors.ts'
import { HookOutputError, readPrintedMachine, type PrintedMachine } from '../provider/command/hook-output.ts'
import { SpawnFailError } from './errors.ts'
import { Executor, type ExecutorDependencies } from './executor.ts'
import { hookCommand, runVmmHook, type RunVmmHook } from './hook.ts'
import type { Job } from './job.ts'
import type { BusMessage } from './messages.ts'
import { groupOptions, type VmmOptions } from './options.ts'
import { terminateMachine } from './terminator.ts'

export interface WorkerDependencies extends ExecutorDependencies {
  /** Puts a message on the pool's bus. */
  readonly publish: (message: BusMessage) => Promise<void>
  readonly runHook?: RunVmmHook | undefined
}

/**
 * Makes machines by the groups' spawn hooks, and tells the pool of each one on its bus.
 *
 * Source: vm-pool.md A8.
 */
export class Spawner extends Executor {
  readonly #options: VmmOptions
  readonly #publish: (message: BusMessage) => Promise<void>
  readonly #runHook: RunVmmHook
  readonly #groupOf = new Map<Job, number>()

  constructor(options: VmmOptions, { publish, runHook = runVmmHook, ...dependencies }: WorkerDependencies) {
    super(dependencies, options)
    this.#options = options
    this.#publish = publish
    this.#runHook = runHook
  }

  /** Starts one spawn. @throws SpawnFailError when the group has no usable hook */
  async startSpawn(group: number): Promise<void> {
    // Looked at here, so that a missing hook is an error of whoever asked.
    hookCommand(this.#options.groups[group]?.spawnPlaybook, 'spawn', { group })
    const job = this.runDetached(async (signal) => await this.#spawn(group, signal))
    this.#groupOf.set(job, group)
  }

  /** How many spawns of a group are under way. One that has ended does not count, cleared away or not. */
  getProcNumPerGroup(group: number): number {
    return [...this.#groupOf].filter(([job, of]) => of === group && job.alive).length
  }

  protected override afterProcFinished(job: Job): void {
    this.#groupOf.delete(job)
  }

  async #spawn(group: number, signal: AbortSignal): Promise<void> {
    let machine: PrintedMachine
    try {
      machine = await spawnMachine(this.#options, group, { runHook: this.#runHook, signal })
    } catch (error) {
      this.logger.error({ group, err: error }, `Spawning a machine of group ${group} failed: ${errorMessage(error)}`)
      if (error instanceof SpawnFailError) await this.#destroyHalfMade(error.output, group, signal)
      return
    }
    try {
      await this.#publish({ topic: 'vm_spawned', vm_ip: machine.address, vm_name: machine.name, group })
    } catch (error) {
      this.logger.error(
        { group, vm: machine.name, ip: machine.address, err: error },
        `Machine ${machine.name} was made, but the pool could not be told: it stays an orphan until the clean-up finds it.`,
      )
    }
  }

  /** What a failed hook says it made is destroyed at once. */
  async #destroyHalfMade(output: string, group: number, signal: AbortSignal): Promise<void> {
    try {
      const { name, address: ip } = readPrintedMachine(output)
      await terminateMachine(this.#options, { ip, name, group }, { runHook: this.#runHook, signal })
      this.logger.info({ group, vm: name, ip }, 'a half-made machine was destroyed')
    } catch (error) {
      if (error instanceof HookOutputError) return
      this.logger.error(
        { group, err: error },
        `What a failed spawn left could not be destroyed: ${errorMessage(error)}`,
      )
    }
  }
}

/**
 * Makes a machine.
 *
 * @throws SpawnFailError with what the hook printed, when it failed or named no machine; the signal's reason
 */
export async function spawnMachine(
  options: VmmOptions,
  group: number,
  { runHook, signal }: { runHook: RunVmmHook; signal: AbortSignal },
): Promise<PrintedMachine> {
  const { spawnPlaybook, playbookTimeout } = groupOptions(options, group)
  const { command, env } = hookCommand(spawnPlaybook, 'spawn', { group })
  const timeoutMs = playbookTimeout === undefined ? Infinity : playbookTimeout * 1000
  const output = await runHook(command, { what: 'spawn', env, timeoutMs, signal })
  try {
    return readPrintedMachine(output)
  } catch (error) {
    if (!(error instanceof HookOutputError)) throw error
    throw new SpawnFailError(error.message, { cause: error, output })
  }
}
