import { DEFAULT_PREFIX } from './keys.ts'

/** A program and its arguments, or the path of a program or of a playbook. Run without a shell. */
export type Hook = string | readonly string[]

/**
 * One group of machines that can stand in for each other. Times in seconds. What is absent does not limit.
 *
 * Source: vm-pool.md A7.
 */
export interface VmmGroup {
  /** For people. */
  readonly name: string
  readonly archs: readonly string[]
  /** Makes a machine. A missing file is an error when it is used, not before. */
  readonly spawnPlaybook?: Hook | null | undefined
  /** Ends one. */
  readonly terminatePlaybook?: Hook | null | undefined
  /** How long the spawn hook may take; unlimited unless given. */
  readonly playbookTimeout?: number | undefined
  readonly maxVmTotal?: number | undefined
  /** 0 is no limit either. */
  readonly maxVmPerUser?: number | undefined
  readonly maxSpawnProcesses?: number | undefined
  readonly vmSpawnMinInterval: number
  readonly vmDirtyTerminatingTimeout: number
  readonly vmHealthCheckPeriod: number
  readonly vmHealthCheckMaxTime: number
  /** A machine goes when it failed more checks than this. */
  readonly vmMaxCheckFails: number
  readonly vmTerminatingTimeout: number
}

/** How the compatible pool works. Times in seconds. Source: vm-pool.md A7. */
export interface VmmOptions {
  /** Before every key and channel. */
  readonly prefix: string
  /** By their number. */
  readonly groups: readonly VmmGroup[]
  /** The pause before each cycle of the master. */
  readonly vmCycleTimeout: number
  /** How long the login of a health check may take. */
  readonly vmSshCheckTimeout: number
  /** Who logs in for a health check. */
  readonly buildUser: string
  /** The program that logs in. */
  readonly sshProgram: string
  /** Its configuration file. */
  readonly sshConfig?: string | undefined
  /** How often clients ask again. */
  readonly sleeptime: number
  /** How often finished jobs are looked for, by each executor and by the event handler. */
  readonly recyclePeriod: number
  /** Prints all machines that there are; nothing is cleaned up without it. */
  readonly listPlaybook?: Hook | undefined
  /** How often orphans are looked for. */
  readonly orphanPeriod: number
  /** How old an unknown machine must be to count as an orphan. */
  readonly orphanGrace: number
  /** Orphans that are removed at the same time. */
  readonly orphanParallelism: number
  /** Whether a machine in use ends only on a request that names this state. */
  readonly protectInUse: boolean
  /** Whether workers are processes of this machine, whose end is the end of their machines (A6.6). */
  readonly localWorkers: boolean
}

/** A group unless its options say otherwise. */
export const DEFAULT_VMM_GROUP = {
  name: 'PC',
  archs: ['i386', 'x86_64'],
  maxVmTotal: 8,
  maxVmPerUser: 4,
  maxSpawnProcesses: 2,
  vmSpawnMinInterval: 30,
  vmDirtyTerminatingTimeout: 120,
  vmHealthCheckPeriod: 120,
  vmHealthCheckMaxTime: 300,
  vmMaxCheckFails: 2,
  vmTerminatingTimeout: 600,
} as const satisfies VmmGroup

export const DEFAULT_VMM_OPTIONS = {
  prefix: DEFAULT_PREFIX,
  groups: [DEFAULT_VMM_GROUP],
  vmCycleTimeout: 10,
  vmSshCheckTimeout: 5,
  buildUser: 'root',
  sshProgram: 'ssh',
  sleeptime: 5,
  recyclePeriod: 60,
  orphanPeriod: 600,
  orphanGrace: 600,
  orphanParallelism: 20,
  protectInUse: false,
  localWorkers: false,
} as const satisfies VmmOptions

/**
 * A group by its number.
 *
 * @throws RangeError when there is none: numbers come from records, which are checked where they are read
 */
export function groupOptions({ groups }: VmmOptions, group: number): VmmGroup {
  const options = groups[group]
  if (options === undefined) throw new RangeError(`There is no group ${group}.`)
  return options
}
