import type { Clock } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logging.ts'
import { isCheckDue } from '../rules/due-check.ts'
import { isIdleDirty } from '../rules/idle-dirty.ts'
import { isCheckOverlong } from '../rules/overlong-check.ts'
import { ACTIVE_STATES, failSafeLimit, runningLimit, spawnInterval, spawnProcessLimit } from '../rules/spawn-limits.ts'
import { terminateAgain } from '../rules/terminate-again.ts'
import type { VmDescriptor } from './descriptor.ts'
import { RuntimeError, VmDescriptorNotFound, VmSpawnLimitReached } from './errors.ts'
import type { HealthChecker } from './health-checker.ts'
import type { LocalWorkers } from './local-workers.ts'
import type { VmManager } from './manager.ts'
import { groupOptions, type VmmGroup, type VmmOptions } from './options.ts'
import { seconds } from './seconds.ts'
import type { Spawner } from './spawner.ts'
import { VM_STATES } from './state.ts'

export interface VmMasterDependencies {
  readonly manager: VmManager
  readonly spawner: Pick<Spawner, 'startSpawn' | 'getProcNumPerGroup' | 'recycle' | 'terminate'> | null
  readonly checker: Pick<HealthChecker, 'runCheckHealth' | 'terminate'> | null
  readonly clock: Clock
  readonly logger: Logger
  /** Ends machines whose worker, a process of this machine, is gone. Not looked at unless given. */
  readonly localWorkers?: LocalWorkers | undefined
}

/**
 * Keeps the pool as its options want it: in each cycle it throws away what is idle and dirty, starts due checks and spawns, gives
 * up checks whose result did not come and asks again for ends that did not come. A step that fails does not keep the others
 * from their work.
 *
 * Source: vm-pool.md A6; the isolation of steps: C9.
 */
export class VmMaster {
  killReceived = false
  readonly #options: VmmOptions
  readonly #manager: VmManager
  readonly #spawner: VmMasterDependencies['spawner']
  readonly #checker: VmMasterDependencies['checker']
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #localWorkers: LocalWorkers | undefined
  #stopping = new AbortController()

  constructor(options: VmmOptions, dependencies: VmMasterDependencies) {
    this.#options = options
    this.#manager = dependencies.manager
    this.#spawner = dependencies.spawner
    this.#checker = dependencies.checker
    this.#clock = dependencies.clock
    this.#logger = dependencies.logger
    this.#localWorkers = dependencies.localWorkers
  }

  /**
   * Works until it is told to stop: sleep first, then a cycle, and again.
   *
   * @throws RuntimeError without a spawner or a checker, before anything is written
   */
  async run(): Promise<void> {
    if (this.#spawner === null || this.#checker === null) {
      throw new RuntimeError('The master of the pool was started without a spawner or without a health checker.')
    }
    this.#stopping = new AbortController()
    this.killReceived = false
    let marked = false
    const mark = async (): Promise<void> => {
      await this.#manager.markServerStart()
      marked = true
    }
    await this.#step('markServerStart', mark)
    while (!this.killReceived) {
      await this.#clock
        .sleep(this.#options.vmCycleTimeout * 1000, { signal: this.#stopping.signal })
        .catch(ignoreWhen(this.#stopping.signal))
      if (this.#stopping.signal.aborted) return
      try {
        // Redis was away at the start, or has lost its data since: without a mark nothing could be handed out, and with
        // that of an earlier master too much.
        if (!marked || (await this.#manager.serverStart()) === null) await mark()
        await this.doCycle()
      } catch (error) {
        this.#logger.error({ err: error }, `A cycle of the pool failed: ${errorMessage(error)}`)
      }
    }
  }

  /** Tells it to stop, and its spawner and checker with it. */
  async terminate(): Promise<void> {
    this.killReceived = true
    this.#stopping.abort()
    await Promise.all([this.#spawner?.terminate(), this.#checker?.terminate()])
  }

  /** One cycle. Failures of its steps are logged. */
  async doCycle(): Promise<void> {
    await this.#step('removeOldDirtyVms', async () => await this.removeOldDirtyVms())
    await this.#step('checkVmsHealth', async () => await this.checkVmsHealth())
    await this.#step('startSpawnIfRequired', async () => await this.startSpawnIfRequired())
    await this.#step('removeVmWithDeadBuilder', async () => await this.removeVmWithDeadBuilder())
    await this.#step('finalizeLongHealthChecks', async () => await this.finalizeLongHealthChecks())
    await this.#step('terminateAgain', async () => await this.terminateAgain())
    await this.#step('recycle', async () => await this.#spawner?.recycle())
  }

  /** Throws away what waits for its owner for too long. Source: vm-pool.md A6.2. */
  async removeOldDirtyVms(): Promise<void> {
    for (const vm of await this.#manager.getVmByGroupAndStateList(null, [VM_STATES.READY])) {
      if (!isIdleDirty(vm, this.#now(), this.#group(vm).vmDirtyTerminatingTimeout)) continue
      await this.#unlessGone(async () => {
        await this.#manager.startVmTermination(vm.vmName, { allowedPreState: VM_STATES.READY })
      })
    }
  }

  /** Starts the checks that are due. Source: vm-pool.md A6.3. */
  async checkVmsHealth(): Promise<void> {
    for (const vm of await this.#manager.getAllVm()) {
      if (!isCheckDue(vm, this.#now(), this.#group(vm).vmHealthCheckPeriod)) continue
      await this.#unlessGone(async () => void (await this.startVmCheck(vm.vmName)))
    }
  }

  /**
   * Starts a check, where the state allows one. One that cannot be launched leaves the machine as it was.
   *
   * Source: vm-pool.md A6.4, C7.
   *
   * @returns whether it was launched
   * @throws VmDescriptorNotFound
   */
  async startVmCheck(name: string): Promise<boolean> {
    const mark = await this.#manager.setCheckingState(await this.#manager.getVmByName(name))
    if (mark === null) return false
    try {
      if (this.#checker === null) throw new RuntimeError('The master of the pool has no health checker.')
      await this.#checker.runCheckHealth(name, mark.vm.vmIp)
      return true
    } catch (error) {
      this.#logger.error(
        { vm: name, err: error },
        `The check of machine ${name} could not be launched: ${errorMessage(error)}`,
      )
      await this.#manager.restoreCheck(mark)
      return false
    }
  }

  /** Tries one spawn for each group, in their order. Source: vm-pool.md A6.5. */
  async startSpawnIfRequired(): Promise<void> {
    for (const group of this.#manager.vmGroups) await this.trySpawnOne(group)
  }

  /** Starts one spawn if all limits allow it. The time is written first, so that a failing spawn waits for its turn as well. */
  async trySpawnOne(group: number): Promise<void> {
    try {
      await this.checkTotalRunningLimit(group)
      await this.checkElapsedTimeAfterSpawn(group)
      await this.checkNumberOfSpawnProcesses(group)
      await this.checkTotalVmLimit(group)
    } catch (error) {
      if (!(error instanceof VmSpawnLimitReached)) throw error
      this.#logger.debug({ group }, error.msg)
      return
    }
    await this.#manager.writeVmPoolInfo(group, 'last_vm_spawn_start', this.#now())
    try {
      await this.#spawner?.startSpawn(group)
    } catch (error) {
      this.#logger.error(
        { group, err: error },
        `A spawn for group ${group} could not be started: ${errorMessage(error)}`,
      )
    }
  }

  /** @throws VmSpawnLimitReached when what runs and what is being spawned reach the maximum */
  async checkTotalRunningLimit(group: number): Promise<void> {
    const vms = await this.#manager.getVmByGroupAndStateList(group, ACTIVE_STATES)
    refuse(group, runningLimit({ active: vms.length, spawning: this.#spawning(group) }, this.#limits(group).maxVmTotal))
  }

  /** @throws VmSpawnLimitReached when the last spawn is not long enough ago */
  async checkElapsedTimeAfterSpawn(group: number): Promise<void> {
    const stored = await this.#manager.readVmPoolInfo(group, 'last_vm_spawn_start')
    const last = stored === null || Number.isNaN(Number(stored)) ? null : Number(stored)
    refuse(group, spawnInterval(last, this.#now(), this.#limits(group).vmSpawnMinInterval))
  }

  /** @throws VmSpawnLimitReached when as many spawns as allowed are under way */
  async checkNumberOfSpawnProcesses(group: number): Promise<void> {
    refuse(group, spawnProcessLimit(this.#spawning(group), this.#limits(group).maxSpawnProcesses))
  }

  /** @throws VmSpawnLimitReached when twice the maximum is on record */
  async checkTotalVmLimit(group: number): Promise<void> {
    const vms = await this.#manager.getAllVmInGroup(group)
    refuse(group, failSafeLimit(vms.length, this.#limits(group).maxVmTotal))
  }

  /** Ends machines whose worker is gone, where workers are processes of this machine. Source: vm-pool.md A6.6. */
  async removeVmWithDeadBuilder(): Promise<void> {
    await this.#localWorkers?.endAbandoned({ signal: this.#stopping.signal })
  }

  /** Gives up checks whose result did not come. Source: vm-pool.md A6.7. */
  async finalizeLongHealthChecks(): Promise<void> {
    for (const vm of await this.#manager.getVmByGroupAndStateList(null, [VM_STATES.CHECK_HEALTH])) {
      if (!isCheckOverlong(vm, this.#now(), this.#group(vm).vmHealthCheckMaxTime)) continue
      this.#logger.info({ vm: vm.vmName }, 'a check took too long and is given up')
      await this.#manager.markVmCheckFailed(vm.vmName)
    }
  }

  /** Asks again for ends that did not come, and forgets machines whose address has another one. Source: vm-pool.md A6.8. */
  async terminateAgain(): Promise<void> {
    for (const vm of await this.#manager.getVmByGroupAndStateList(null, [VM_STATES.TERMINATING])) {
      const { vmTerminatingTimeout: timeout } = this.#group(vm)
      const late = terminateAgain(vm, this.#now(), { timeout, recordsAtAddress: 1 }) !== 'leave'
      if (!late) continue
      const { length: recordsAtAddress } = await this.#manager.lookupVmsByIp(vm.vmIp)
      const drop = terminateAgain(vm, this.#now(), { timeout, recordsAtAddress }) === 'drop'
      await this.#unlessGone(async () => {
        if (drop) await this.#manager.removeVmFromPool(vm.vmName)
        else await this.#manager.startVmTermination(vm.vmName, { allowedPreState: VM_STATES.TERMINATING })
      })
    }
  }

  async #step(name: string, work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      // What a step was stopped in the middle of is nobody's failure.
      const level = this.#stopping.signal.aborted ? 'debug' : 'error'
      this.#logger[level]({ step: name, err: error }, `Step ${name} of the pool's cycle failed: ${errorMessage(error)}`)
    }
  }

  /** A machine that was removed since it was looked at needs nothing any more. */
  async #unlessGone(work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (!(error instanceof VmDescriptorNotFound)) throw error
      this.#logger.debug(error.message)
    }
  }

  #group({ group }: VmDescriptor): VmmGroup {
    return groupOptions(this.#options, group)
  }

  #limits(group: number): VmmGroup {
    return groupOptions(this.#options, group)
  }

  #spawning(group: number): number {
    return this.#spawner?.getProcNumPerGroup(group) ?? 0
  }

  #now(): number {
    return seconds(this.#clock)
  }
}

function refuse(group: number, refusal: string | null): void {
  if (refusal !== null) throw new VmSpawnLimitReached(`No machine is spawned for group ${group}: ${refusal}.`)
}

/** A sleep that was ended by the stop is over; anything else is a defect. */
function ignoreWhen(signal: AbortSignal): (error: unknown) => void {
  return (error) => {
    if (!signal.aborted) throw error
  }
}
