import { loadScript, type RedisScript } from '../../store/redis/index.ts'

const load = (name: string): RedisScript => loadScript(new URL(`./lua/${name}.lua`, import.meta.url))

/**
 * The transitions of a machine, each a script that Redis runs as one step. What each takes, answers and never does stands at its
 * top.
 *
 * Source: vm-pool.md A4.
 */
export const SCRIPTS = {
  acquireVm: load('acquire-vm'),
  addVm: load('add-vm'),
  adoptVm: load('adopt-vm'),
  markVmCheckFailed: load('mark-vm-check-failed'),
  onHealthCheckSuccess: load('on-health-check-success'),
  reattachVm: load('reattach-vm'),
  recordFailure: load('record-failure'),
  releaseVm: load('release-vm'),
  removeVm: load('remove-vm'),
  restoreCheck: load('restore-check'),
  setCheckingState: load('set-checking-state'),
  terminateVm: load('terminate-vm'),
} as const
