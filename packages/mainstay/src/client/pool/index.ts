export { LeaseLostError, LeasePreemptedError, LeaseReleaseUnconfirmedError } from './errors.ts'
export { PoolLease, type LeaseCalls } from './lease.ts'
export { POOL_PATHS, poolPath, vmPath, type Pools, type Reasoned, type VmListOptions } from './pools.ts'
export {
  VM_STATES,
  type GrantedLease,
  type PoolDecision,
  type PoolExplanation,
  type PoolGroupCounts,
  type PoolLabelReport,
  type PoolNews,
  type PoolOverview,
  type PoolPlan,
  type PoolProvider,
  type PoolRefusal,
  type PoolRequest,
  type PoolRequestStatus,
  type PoolVm,
  type PoolVmState,
  type PoolWish,
  type ReconcileReport,
} from './pool-record.ts'
