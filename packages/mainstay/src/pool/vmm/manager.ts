import { acquireCandidates } from '../rules/candidates.ts'
import { mayAcquireMore } from '../rules/user-limit.ts'
import { VmDescriptor } from './descriptor.ts'
import { NoVmAvailable, VmDescriptorNotFound, VmError } from './errors.ts'
import { VmLookups } from './lookups.ts'
import { busText } from './messages.ts'
import { groupOptions } from './options.ts'
import { SCRIPTS } from './scripts.ts'
import { seconds } from './seconds.ts'
import { VM_STATES, type VmState } from './state.ts'

/** Who wants a machine, and for what. */
export interface AcquireRequest {
  /** The numbers of the groups that will do, the preferred first. */
  readonly groups: readonly number[]
  readonly owner: string
  readonly sandbox: string
  /** The id of the worker that will use it. */
  readonly worker: string
  readonly taskId?: string | undefined
  readonly buildId?: string | undefined
  readonly chroot?: string | undefined
}

/**
 * The pool as its clients and its master use it: each change is one script of Redis, so that nothing comes between what is
 * looked at and what is written. It keeps nothing in memory: any number of managers may work on one database.
 *
 * Source: vm-pool.md A5.
 */
export class VmManager extends VmLookups {
  /** Makes the scripts known to Redis. May be called any number of times, or never: a script is also sent where it is missing. */
  async postInit(): Promise<void> {
    const { onHealthCheckSuccess: _, recordFailure: __, ...own } = SCRIPTS
    await Promise.all(Object.values(own).map(async (script) => await this.redis.load(script)))
  }

  /** Takes a machine that has just been made into the pool. @throws VmError when the name is taken */
  async addVmToPool(ip: string, name: string, group: number): Promise<VmDescriptor> {
    const fields = { vm_name: name, vm_ip: ip, group: String(group), state: VM_STATES.GOT_IP }
    const others = this.vmGroups.filter((other) => other !== group).map((other) => this.keys.pool(other))
    const added = await this.redis.run(
      SCRIPTS.addVm,
      [this.keys.vm(name), this.keys.pool(group), ...others],
      [name, ...Object.entries(fields).flat()],
    )
    if (added === null) throw new VmError(`A machine named ${name} is in the pool already: it was not added again.`)
    return VmDescriptor.fromDict(fields, this.keys)
  }

  /** Forgets a machine. @throws VmDescriptorNotFound, VmError unless it is terminating */
  async removeVmFromPool(name: string): Promise<void> {
    const vm = await this.getVmByName(name)
    const removed = await this.redis.run(SCRIPTS.removeVm, [vm.vmKey, this.keys.pool(vm.group)], [name])
    if (removed === null) throw new VmDescriptorNotFound(`There is no machine ${name} in the pool any more.`)
    if (removed !== 'OK') throw new VmError(`Machine ${name} is ${removed}: only a terminating one leaves the pool.`)
    this.logger.info({ vm: name }, 'the machine left the pool')
  }

  /**
   * Hands out a machine: one that is dirty for the same owner and sandbox if there is one, else a clean one.
   *
   * @returns it as it is now, in use
   * @throws NoVmAvailable when no group has one for this owner now
   */
  async acquireVm(request: AcquireRequest): Promise<VmDescriptor> {
    const { groups, owner, sandbox, taskId } = request
    for (const group of groups) {
      const vms = await this.getAllVmInGroup(group)
      const mayMore = this.#mayAcquireMore(vms, owner, group)
      for (const vm of acquireCandidates(vms, { owner, sandbox, mayMore })) {
        const fails = await vm.getField(this.redis, 'check_fails')
        if (fails !== null && fails !== '0') continue
        const acquired = await this.#acquire(vm, request)
        if (acquired !== null) return acquired
      }
    }
    const task = taskId === undefined ? '' : ` for task ${taskId}`
    throw new NoVmAvailable(
      `No machine is free for ${owner} in sandbox ${sandbox}${task}: none of groups ${groups.join(', ')} has one ready, or the ` +
        'limit per user is reached. Ask again later.',
    )
  }

  /** Whether a user may have one machine more of a group: idle ones that are bound to the user count as well. */
  async canUserAcquireMoreVm(owner: string, group: number): Promise<boolean> {
    return this.#mayAcquireMore(await this.getAllVmInGroup(group), owner, group)
  }

  /** Gives a machine back, whoever asks. @returns false when it is not in use, or not there */
  async releaseVm(name: string): Promise<boolean> {
    return (await this.redis.run(SCRIPTS.releaseVm, [this.keys.vm(name)], [this.#now()])) === 'OK'
  }

  /** Lets another worker go on with a task on its machine. @returns false when the task does not have that machine any more */
  async reattachWorker(name: string, { taskId, worker }: { taskId: string; worker: string }): Promise<boolean> {
    return (await this.redis.run(SCRIPTS.reattachVm, [this.keys.vm(name)], [worker, taskId])) === 'OK'
  }

  /**
   * Asks for the end of a machine, and tells its worker if there is one.
   *
   * @param options.allowedPreState the only state in which it may be
   * @returns whether it was asked for; a refusal is logged
   * @throws VmDescriptorNotFound
   */
  async startVmTermination(name: string, options: { allowedPreState?: VmState } = {}): Promise<boolean> {
    const vm = await this.getVmByName(name)
    const { vmIp, vmName, group } = vm
    const request = busText({ topic: 'vm_termination_request', group, vm_ip: vmIp, vm_name: vmName })
    const { allowedPreState = 'None' } = options
    const protect = this.options.protectInUse ? '1' : '0'
    const answer = await this.redis.run(
      SCRIPTS.terminateVm,
      [vm.vmKey],
      [allowedPreState, this.#now(), protect, this.keys.bus, request, this.keys.interrupt(vmIp)],
    )
    if (answer === 'OK') this.logger.info({ vm: name, group }, 'the end of the machine was asked for')
    else this.logger.info({ vm: name, group, reason: answer }, 'the end of the machine was not asked for')
    return answer === 'OK'
  }

  /** Marks that a check begins. @returns what `restoreCheck` needs, null when the state does not allow a check */
  async setCheckingState(vm: VmDescriptor): Promise<CheckMark | null> {
    const startedAt = this.#now()
    const answer = await this.redis.run(SCRIPTS.setCheckingState, [vm.vmKey], [startedAt])
    return answer === 'OK' ? { vm, startedAt } : null
  }

  /** Takes back the mark of a check that could not begin. @returns false when the machine was changed since */
  async restoreCheck({ vm, startedAt }: CheckMark): Promise<boolean> {
    const before = vm.toDict()['last_health_check'] ?? ''
    return (await this.redis.run(SCRIPTS.restoreCheck, [vm.vmKey], [vm.state, startedAt, before])) === 'OK'
  }

  /** Gives up a check whose result does not come. @returns false when none is under way */
  async markVmCheckFailed(name: string): Promise<boolean> {
    return (await this.redis.run(SCRIPTS.markVmCheckFailed, [this.keys.vm(name)], [])) === 'OK'
  }

  /** Nothing is handed out until it has been checked after this. */
  async markServerStart(): Promise<void> {
    await this.redis.hSet(this.keys.serverInfo, { server_start_timestamp: this.#now() })
  }

  /** When the master last started. @returns unix seconds as text, null when that is not known */
  async serverStart(): Promise<string | null> {
    return await this.redis.hGet(this.keys.serverInfo, 'server_start_timestamp')
  }

  /** Writes one fact about a group. */
  async writeVmPoolInfo(group: number, key: string, value: string | number): Promise<void> {
    await this.redis.hSet(this.keys.poolInfo(group), { [key]: String(value) })
  }

  /** Reads one fact about a group. @returns null when it is absent */
  async readVmPoolInfo(group: number, key: string): Promise<string | null> {
    return await this.redis.hGet(this.keys.poolInfo(group), key)
  }

  async #acquire(vm: VmDescriptor, request: AcquireRequest): Promise<VmDescriptor | null> {
    const { owner, sandbox, worker, taskId = '', buildId = '', chroot = '' } = request
    const answer = await this.redis.run(
      SCRIPTS.acquireVm,
      [vm.vmKey, this.keys.serverInfo],
      [owner, worker, this.#now(), taskId, buildId, chroot, sandbox],
    )
    if (answer !== 'OK') return null
    this.logger.info({ vm: vm.vmName, owner, worker }, 'the machine was handed out')
    return await this.loadIfThere(vm.vmName)
  }

  #mayAcquireMore(vms: readonly VmDescriptor[], owner: string, group: number): boolean {
    const held = vms.filter(({ boundToUser }) => boundToUser === owner).length
    return mayAcquireMore(held, groupOptions(this.options, group).maxVmPerUser)
  }

  #now(): string {
    return String(seconds(this.clock))
  }
}

/** A check that has begun: what it is of, as it was before, and the time that was written. */
export interface CheckMark {
  readonly vm: VmDescriptor
  readonly startedAt: string
}
