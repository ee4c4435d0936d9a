import type { Clock } from '../../core/clock.ts'
import { withDeadline } from '../../core/deadline.ts'
import { MainstayError, errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logging.ts'
import type { VmDescriptor } from '../descriptor.ts'
import { VmNotFoundError } from '../errors.ts'
import type { ProviderFleet } from '../provider/fleet.ts'
import type { PoolStore } from '../store.ts'
import { Jobs } from './jobs.ts'
import { refOf } from './spawner.ts'

export interface TerminatorDeps {
  readonly store: PoolStore
  readonly clock: Clock
  readonly logger: Logger
  readonly fleet: ProviderFleet
  /** What makes machines ready: it ends before a machine is destroyed, or it could make it once more. */
  readonly making: Pick<Jobs, 'end'>
}

/** The pool ends a machine; whatever is under way for it is to stop. */
export class MachineEndedError extends MainstayError {
  readonly code = 'MS_POOL_MACHINE_ENDED'
  readonly status = 409
  readonly retryable = false

  constructor(name: string, reason: string | null) {
    super(`The pool ends the machine ${name}${reason === null ? '' : `: ${reason}`}. Acquire another one.`)
  }
}

export interface TerminatorOptions {
  /** Destructions at one time. */
  readonly atOnce: number
  readonly most: number
  /** The longest that a provider may take for one, in milliseconds. */
  readonly timeoutMs: number
}

/** A machine whose destruction is due. */
export interface Ending {
  readonly vm: VmDescriptor
  /** When it is asked again if it is still there then. */
  readonly againAt: number
}

/**
 * Destroys machines. The record goes only when the provider says that the machine is gone; until then it is asked again, at
 * longer and longer intervals.
 *
 * Source: vm-pool.md A6.8, A8, C10.
 */
export class Terminator {
  readonly #deps: TerminatorDeps
  readonly #options: TerminatorOptions
  readonly #jobs: Jobs

  constructor(deps: TerminatorDeps, options: TerminatorOptions) {
    this.#deps = deps
    this.#options = options
    this.#jobs = new Jobs({ ...deps, what: 'Destroying the machine', ...options })
  }

  get jobs(): Jobs {
    return this.#jobs
  }

  /** Writes down that they are asked for, and asks. @throws PoolMasterFencedError */
  async start(endings: readonly Ending[], fence: number): Promise<void> {
    const { store, clock } = this.#deps
    const free = endings.filter(({ vm }) => !this.#jobs.has(vm.name))
    if (free.length === 0) return
    const vms = free.map(({ vm, againAt }) => ({ name: vm.name, againAt }))
    const asked = await store.terminationAsked({ vms, fence, now: clock.now() })
    const refused = new Set(asked.refused.map(({ name }) => name))
    for (const { vm } of free) {
      if (!refused.has(vm.name)) this.#jobs.run(vm.name, vm.group, async (signal) => await this.#end(vm, signal))
    }
  }

  async #end(vm: VmDescriptor, signal: AbortSignal): Promise<void> {
    const { store, clock, logger, fleet, making } = this.#deps
    const { name } = vm
    const provider = vm.provider === null ? undefined : fleet.provider(vm.provider)
    if (vm.provider !== null && provider === undefined) {
      logger.error(
        { vm: name },
        `The machine ${name} cannot be destroyed: its provider ${vm.provider} is not configured. Configure it again, or ` +
          `have the record forgotten with "mainstay pool delete --force ${name}"`,
      )
      return
    }
    try {
      const { timeoutMs } = this.#options
      await withDeadline({ clock, what: `Destroying ${name}`, timeoutMs, signal }, async (within) => {
        await making.end(name, new MachineEndedError(name, vm.terminateReason))
        // One that was adopted without a provider belongs to somebody else, who ends it.
        await provider?.destroy(refOf(vm), { signal: within })
      })
    } catch (error) {
      if (!signal.aborted)
        logger.warn({ vm: name, err: error }, `The machine ${name} is not gone: ${errorMessage(error)}`)
      return
    }
    try {
      await store.remove({ name, now: clock.now() })
    } catch (error) {
      // Another master was faster.
      if (!(error instanceof VmNotFoundError)) throw error
    }
  }
}
