import { InvalidInputError } from '../../core/errors.ts'
import type { VmmGroup, VmmOptions } from '../../pool/vmm/index.ts'
import type { VmmConfig } from '../config/vmm-schema.ts'

/** How the compatible pool works, from its section of the configuration. @throws InvalidInputError when no group is named */
export function vmmOptions(config: VmmConfig): VmmOptions {
  if (config.groups.length === 0) {
    throw new InvalidInputError(
      'pool.compat is vmm and no group is configured: add a [[vmm.groups]] with its playbooks.',
    )
  }
  return {
    prefix: config.redis_prefix,
    groups: config.groups.map(groupOf),
    vmCycleTimeout: config.vm_cycle_timeout,
    vmSshCheckTimeout: config.vm_ssh_check_timeout,
    buildUser: config.build_user,
    sshProgram: config.ssh_program,
    sshConfig: config.ssh_builder_config === '' ? undefined : config.ssh_builder_config,
    sleeptime: config.sleeptime,
    recyclePeriod: config.recycle_period,
    listPlaybook: config.list_playbook,
    orphanPeriod: config.orphan_period,
    orphanGrace: config.orphan_grace,
    orphanParallelism: config.orphan_parallelism,
    protectInUse: config.protect_in_use,
    localWorkers: config.local_workers,
  }
}

function groupOf(group: VmmConfig['groups'][number]): VmmGroup {
  return {
    name: group.name,
    archs: group.archs,
    spawnPlaybook: group.spawn_playbook,
    terminatePlaybook: group.terminate_playbook,
    playbookTimeout: group.playbook_timeout,
    maxVmTotal: group.max_vm_total,
    maxVmPerUser: group.max_vm_per_user,
    maxSpawnProcesses: group.max_spawn_processes,
    vmSpawnMinInterval: group.vm_spawn_min_interval,
    vmDirtyTerminatingTimeout: group.vm_dirty_terminating_timeout,
    vmHealthCheckPeriod: group.vm_health_check_period,
    vmHealthCheckMaxTime: group.vm_health_check_max_time,
    vmMaxCheckFails: group.vm_max_check_fails,
    vmTerminatingTimeout: group.vm_terminating_timeout,
  }
}
