import type { PoolStore } from './store.ts'

/** How machines come, are checked, set aside and go. */
export type PoolLives = Pick<
  PoolStore,
  | 'requestSpawn'
  | 'building'
  | 'spawned'
  | 'spawnFailed'
  | 'addVm'
  | 'startChecks'
  | 'checkPassed'
  | 'checkFailed'
  | 'checkNotLaunched'
  | 'checksGivenUp'
  | 'recheck'
  | 'resetDone'
  | 'standBy'
  | 'wake'
  | 'hold'
  | 'unhold'
  | 'holdOnFailure'
  | 'failureHolds'
  | 'dropFailureHold'
  | 'drain'
  | 'undrain'
  | 'terminate'
  | 'terminationAsked'
  | 'markStuck'
  | 'remove'
  | 'lost'
  | 'postponeRetirement'
>

/** Who has machines, and who waits for them. */
export type PoolUses = Pick<
  PoolStore,
  | 'acquire'
  | 'heartbeat'
  | 'release'
  | 'reattach'
  | 'reclaim'
  | 'request'
  | 'leases'
  | 'requests'
  | 'cancel'
  | 'requeue'
  | 'reorder'
  | 'expireRequests'
  | 'serve'
  | 'preempt'
>

/** What can be looked at; nothing is changed. */
export type PoolLooks = Pick<
  PoolStore,
  'due' | 'nextDue' | 'get' | 'getMany' | 'byIp' | 'byTask' | 'list' | 'counts' | 'usage' | 'readInfo' | 'writeInfo'
>
