import { Type, type Static } from 'typebox'

import { DEFAULT_VMM_GROUP as GROUP, DEFAULT_VMM_OPTIONS as VMM } from '../../pool/vmm/options.ts'
import { closed, count, flag, text } from './option-kinds.ts'

const Hook = Type.Union([Type.String(), Type.Array(Type.String())])

const VmmGroupConfig = Type.Object(
  {
    name: Type.String({ description: 'The name of the group, for people.', default: GROUP.name }),
    archs: Type.Array(Type.String({ minLength: 1 }), {
      description: 'Architectures that its machines serve, each once.',
      default: GROUP.archs,
      minItems: 1,
      uniqueItems: true,
    }),
    spawn_playbook: Type.Optional({
      ...Hook,
      description:
        'Makes a machine and prints its IP= and vm_name=: the path of a playbook or a program, or a list of program and arguments.',
    }),
    terminate_playbook: Type.Optional({
      ...Hook,
      description: 'Ends the machine that MAINSTAY_VM_IP and MAINSTAY_VM_NAME name.',
    }),
    playbook_timeout: Type.Optional(
      Type.Integer({ description: 'How long making one may take; for ever unless given.', minimum: 1 }),
    ),
    max_vm_total: count('The most machines that are not about to end.', GROUP.maxVmTotal, 1),
    max_vm_per_user: count('The most machines bound to one user; 0 for no limit.', GROUP.maxVmPerUser),
    max_spawn_processes: count('Machines that are made at the same time.', GROUP.maxSpawnProcesses, 1),
    vm_spawn_min_interval: count('The least time between two starts.', GROUP.vmSpawnMinInterval, 1),
    vm_dirty_terminating_timeout: count(
      'How long a machine waits for the user that it is bound to.',
      GROUP.vmDirtyTerminatingTimeout,
      1,
    ),
    vm_health_check_period: count('How often a machine is checked.', GROUP.vmHealthCheckPeriod, 1),
    vm_health_check_max_time: count('When a check is given up.', GROUP.vmHealthCheckMaxTime, 1),
    vm_max_check_fails: count(
      'A machine ends when it failed more checks in a row than this.',
      GROUP.vmMaxCheckFails,
      1,
    ),
    vm_terminating_timeout: count('When the end of a machine is asked for again.', GROUP.vmTerminatingTimeout, 1),
  },
  closed,
)

/** The options of a pool that works as the reference did, under the reference's names. Times in seconds. Source: vm-pool.md A7. */
export const VmmSection = Type.Object(
  {
    redis_host: text('Where Redis is.', '127.0.0.1'),
    redis_port: count('Its port.', 6379, 1),
    redis_db: count('The number of its database.', 0),
    redis_url: text('Address, user, password and database in one, redis://… or rediss://…, instead of these.', ''),
    redis_prefix: text(
      'Stands before every key and channel; copr:backend: for a database of the reference.',
      VMM.prefix,
    ),
    vm_cycle_timeout: count(
      'The pause before each cycle, in seconds, as all times of this section.',
      VMM.vmCycleTimeout,
      1,
    ),
    vm_ssh_check_timeout: count('How long the login of a health check may take.', VMM.vmSshCheckTimeout, 1),
    build_user: Type.String({ description: 'Who logs in for it.', default: VMM.buildUser, minLength: 1 }),
    ssh_program: Type.String({ description: 'The program that logs in.', default: VMM.sshProgram, minLength: 1 }),
    ssh_builder_config: text('Its configuration file.', ''),
    sleeptime: count('How often clients ask again; the server itself does not use it.', VMM.sleeptime, 1),
    recycle_period: count('How often ended jobs are cleared away.', VMM.recyclePeriod, 1),
    list_playbook: Type.Optional({
      ...Hook,
      description:
        'Prints all machines that belong to this pool as JSON; those that the pool does not know are ended. Without it nothing is cleaned up.',
    }),
    orphan_period: count('How often such orphans are looked for.', VMM.orphanPeriod, 1),
    orphan_grace: count('How old an unknown machine must be to count as an orphan.', VMM.orphanGrace, 1),
    orphan_parallelism: count('Orphans that are removed at the same time.', VMM.orphanParallelism, 1),
    protect_in_use: flag('Ends no machine in use unless this is asked for by name.', VMM.protectInUse),
    local_workers: flag(
      'Ends machines whose worker, a process of this machine, is gone, as the oldest versions did.',
      VMM.localWorkers,
    ),
    groups: Type.Array(VmmGroupConfig, {
      description: 'The groups of machines, numbered from 0 in their order.',
      default: [],
    }),
  },
  { ...closed, default: {} },
)

export type VmmConfig = Static<typeof VmmSection>
