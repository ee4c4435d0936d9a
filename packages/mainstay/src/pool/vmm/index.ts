export { adoptReferencePool, type AdoptDependencies, type Adoption } from './adopt.ts'
export { VmDescriptor, type RawDescriptor } from './descriptor.ts'
export * from './errors.ts'
export { EventHandler, type EventHandlerDependencies } from './event-handler.ts'
export { Executor, type ExecutorDependencies } from './executor.ts'
export { HealthChecker, loginOptions } from './health-checker.ts'
export { hookCommand, runVmmHook, type RunVmmHook } from './hook.ts'
export { TaskJob, type Job, type StartJob } from './job.ts'
export { DEFAULT_PREFIX, REFERENCE_PREFIX, VmmKeys } from './keys.ts'
export { lookAtReference, type ReferenceLook, type ReferenceMachine, type RefusedRecord } from './look-at-reference.ts'
export { LocalWorkers, type LocalWorkersDependencies } from './local-workers.ts'
export type { VmManagerDependencies } from './lookups.ts'
export { VmManager, type AcquireRequest, type CheckMark } from './manager.ts'
export { VmMaster, type VmMasterDependencies } from './master.ts'
export { busText, readBusMessage, type BusMessage, type HealthResult } from './messages.ts'
export {
  DEFAULT_VMM_GROUP,
  DEFAULT_VMM_OPTIONS,
  groupOptions,
  type Hook,
  type VmmGroup,
  type VmmOptions,
} from './options.ts'
export { nativeRecord } from './native-record.ts'
export { hookMachines, type HookMachine } from './hook-machines.ts'
export { cleanUpOrphans, cleanUpPeriodically, type CleanUpReport, type MachineSource } from './orphan-cleaner.ts'
export { Recycler } from './recycler.ts'
export { RedisDriver } from './redis-driver.ts'
export type { BusItem, VmmRedis } from './redis.ts'
export { BASE_PROCESS_TITLE, RUNNER_PARTS, VmmRunner, type RunnerDependencies, type RunnerParts } from './runner.ts'
export { SCRIPTS } from './scripts.ts'
export { Spawner, spawnMachine } from './spawner.ts'
export { VM_STATES, type VmState } from './state.ts'
export { Terminator } from './terminator.ts'
