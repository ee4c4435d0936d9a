import type { VmDescriptor } from './descriptor.ts'

/**
 * Whether a machine that is on its way counts as capacity to come. One whose creation is not fulfilled after the launch time
 * does not: another is started in its place, and this one is welcome if it still comes.
 *
 * Source: vm-pool.md C11.
 */
export function isCapacityToCome(
  { state, createdAt, stateSince }: Pick<VmDescriptor, 'state' | 'createdAt' | 'stateSince'>,
  now: number,
  { launchTimeoutMs }: { readonly launchTimeoutMs: number },
): boolean {
  switch (state) {
    case 'requested':
    case 'building':
      return now - createdAt < launchTimeoutMs
    case 'starting':
      return now - stateSince < launchTimeoutMs
    case 'got_ip':
    case 'check_health':
      return true
    default:
      return false
  }
}
