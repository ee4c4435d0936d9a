import type { Clock } from '../../core/clock.ts'
import type { Logger } from '../../core/logging.ts'
import { VmDescriptor } from './descriptor.ts'
import { VmDescriptorNotFound } from './errors.ts'
import { poolReport } from './info.ts'
import { VmmKeys } from './keys.ts'
import { groupOptions, type VmmOptions } from './options.ts'
import type { VmmRedis } from './redis.ts'
import { seconds } from './seconds.ts'
import { VM_STATES, type VmState } from './state.ts'

export interface VmManagerDependencies {
  readonly redis: VmmRedis
  readonly clock: Clock
  readonly logger: Logger
}

/**
 * What can be asked about a pool.
 *
 * Source: vm-pool.md A5.5.
 */
export class VmLookups {
  readonly keys: VmmKeys
  protected readonly options: VmmOptions
  protected readonly redis: VmmRedis
  protected readonly clock: Clock
  protected logger: Logger

  constructor(options: VmmOptions, { redis, clock, logger }: VmManagerDependencies) {
    this.keys = new VmmKeys(options.prefix)
    this.options = options
    this.redis = redis
    this.clock = clock
    this.logger = logger
  }

  setLogger(logger: Logger): void {
    this.logger = logger
  }

  /** The numbers of all groups. */
  get vmGroups(): number[] {
    return [...this.options.groups.keys()]
  }

  /** The machines of a group, by name. One that vanishes meanwhile is left out, and so is one with half a record. */
  async getAllVmInGroup(group: number): Promise<VmDescriptor[]> {
    const names = [...(await this.redis.sMembers(this.keys.pool(group)))].sort()
    const vms = await Promise.all(names.map(async (name) => await this.loadIfThere(name)))
    return vms.filter((vm) => vm?.group === group) as VmDescriptor[]
  }

  /** The names in all groups, also of machines with half a record. */
  async getAllNames(): Promise<string[]> {
    return (await Promise.all(this.vmGroups.map((group) => this.redis.sMembers(this.keys.pool(group))))).flat()
  }

  /** The machines of all groups. */
  async getAllVm(): Promise<VmDescriptor[]> {
    return (await Promise.all(this.vmGroups.map(async (group) => await this.getAllVmInGroup(group)))).flat()
  }

  async getReadyVms(group: number): Promise<VmDescriptor[]> {
    return await this.getVmByGroupAndStateList(group, [VM_STATES.READY])
  }

  /** @throws VmDescriptorNotFound */
  async getVmByName(name: string): Promise<VmDescriptor> {
    return await VmDescriptor.load(this.redis, this.keys, name)
  }

  /** The first machine that works on a task. */
  async getVmByTaskId(taskId: string): Promise<VmDescriptor | null> {
    return (await this.getAllVm()).find((vm) => vm.taskId === taskId) ?? null
  }

  /** @param group null for all */
  async getVmByGroupAndStateList(group: number | null, states: readonly VmState[]): Promise<VmDescriptor[]> {
    const vms = group === null ? await this.getAllVm() : await this.getAllVmInGroup(group)
    return vms.filter(({ state }) => states.some((wanted) => wanted === state))
  }

  /** The machines with an address, in any group and state. */
  async lookupVmsByIp(ip: string): Promise<VmDescriptor[]> {
    return (await this.getAllVm()).filter(({ vmIp }) => vmIp === ip)
  }

  /** A report for people. */
  async info(): Promise<string> {
    const now = seconds(this.clock)
    const groups = await Promise.all(
      this.vmGroups.map(async (group) => {
        const { name, archs } = groupOptions(this.options, group)
        return { group, name, archs, vms: await this.getAllVmInGroup(group) }
      }),
    )
    return poolReport(groups, now)
  }

  /** @returns null when it is not there, or only a part of its record is */
  protected async loadIfThere(name: string): Promise<VmDescriptor | null> {
    try {
      return await this.getVmByName(name)
    } catch (error) {
      if (!(error instanceof VmDescriptorNotFound)) throw error
      this.logger.debug({ vm: name, reason: error.message }, 'a machine is left out')
      return null
    }
  }
}
