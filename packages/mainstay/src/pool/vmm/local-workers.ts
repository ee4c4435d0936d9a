import type { Clock } from '../../core/clock.ts'
import { errorCode, errorMessage } from '../../core/errors.ts'
import { toJson } from '../../core/json.ts'
import type { Logger } from '../../core/logging.ts'
import { isWorkerDoubtful } from '../rules/lost-worker.ts'
import type { VmDescriptor } from './descriptor.ts'
import { VmDescriptorNotFound } from './errors.ts'
import type { VmManager } from './manager.ts'
import type { VmmRedis } from './redis.ts'
import { seconds } from './seconds.ts'
import { VM_STATES } from './state.ts'

export interface LocalWorkersDependencies {
  readonly manager: VmManager
  readonly redis: VmmRedis
  readonly clock: Clock
  readonly logger: Logger
  /** Whether a process runs. Throws when that cannot be known. */
  readonly processExists?: ((pid: string) => boolean | Promise<boolean>) | undefined
  /** Whether a process that runs is the machine's worker, and not a later one with the same id. */
  readonly processOwnsVm?: ((pid: string, vmName: string) => boolean | Promise<boolean>) | undefined
}

/** How long a worker that seems gone is given, for a process that was about to be started. */
const SECOND_LOOK_MS = 5_000

/**
 * Ends machines whose worker was a process of this machine and is gone, as the oldest versions of the reference did. The task
 * goes back to the scheduler when all that names it is known.
 *
 * Source: vm-pool.md A6.6, A3.
 */
export class LocalWorkers {
  readonly #dependencies: LocalWorkersDependencies

  constructor(dependencies: LocalWorkersDependencies) {
    this.#dependencies = dependencies
  }

  /** @throws the signal's reason when it is aborted between the two looks: then nothing is ended */
  async endAbandoned({ signal }: { signal: AbortSignal }): Promise<void> {
    const { manager, clock } = this.#dependencies
    const used = await manager.getVmByGroupAndStateList(null, [VM_STATES.IN_USE])
    const doubtful = used.filter((vm) => isWorkerDoubtful({ ...facts(vm) }, seconds(clock)))
    const missing = await this.#missing(doubtful)
    if (missing.length === 0) return
    await clock.sleep(SECOND_LOOK_MS, { signal })
    for (const vm of await this.#missing(missing)) await this.#end(vm)
  }

  async #missing(vms: readonly VmDescriptor[]): Promise<VmDescriptor[]> {
    const alive = await Promise.all(vms.map(async (vm) => await this.#isAlive(vm)))
    return vms.filter((_, index) => alive[index] === false)
  }

  /** A worker of which nothing can be known counts as alive. */
  async #isAlive({ vmName, usedByWorker }: VmDescriptor): Promise<boolean> {
    const { processExists = processRuns, processOwnsVm, logger } = this.#dependencies
    try {
      if (!(await processExists(usedByWorker!))) return false
      return processOwnsVm === undefined || (await processOwnsVm(usedByWorker!, vmName))
    } catch (error) {
      logger.warn({ vm: vmName, worker: usedByWorker }, `The worker is taken for alive: ${errorMessage(error)}`)
      return true
    }
  }

  async #end(vm: VmDescriptor): Promise<void> {
    const { manager, redis, logger } = this.#dependencies
    const { vmName, taskId, buildId, chroot } = vm
    try {
      if (!(await manager.startVmTermination(vmName, { allowedPreState: VM_STATES.IN_USE }))) return
    } catch (error) {
      if (error instanceof VmDescriptorNotFound) return
      throw error
    }
    logger.warn({ vm: vmName, worker: vm.usedByWorker }, 'the worker of the machine is gone')
    if (taskId === null || buildId === null || chroot === null) return
    const request = toJson({ action: 'reschedule', build_id: buildId, task_id: taskId, chroot })
    await redis.publish(manager.keys.taskEnd, request)
  }
}

function facts({ state, inUseSince, usedByWorker }: VmDescriptor): Parameters<typeof isWorkerDoubtful>[0] {
  return { state, inUseSince, worker: usedByWorker }
}

/** Whether a process of this machine runs. Text that is no process id, but `None`, belongs to a worker of another kind. */
function processRuns(pid: string): boolean {
  if (pid === 'None') return false
  if (!/^\d+$/.test(pid)) throw new TypeError(`"${pid}" is no process id.`)
  try {
    process.kill(Number(pid), 0)
    return true
  } catch (error) {
    if (errorCode(error) === 'ESRCH') return false
    if (errorCode(error) === 'EPERM') return true
    throw error
  }
}
