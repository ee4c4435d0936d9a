import type { VmDescriptor } from '../descriptor.ts'
import { mayStart } from '../state.ts'

/**
 * Whether a machine is idle and of a provider that is not configured (any more): nobody can look at it or destroy it, so it must
 * neither be handed out nor stand in for one that can be. One without a provider was adopted, and is somebody else's.
 *
 * Source: vm-pool.md C7, C10.
 *
 * @param providers names of those that are configured; left out where nobody knows
 */
export function isUnserved(
  { provider, state }: Pick<VmDescriptor, 'provider' | 'state'>,
  { providers }: { readonly providers?: readonly string[] },
): boolean {
  return provider !== null && providers !== undefined && !providers.includes(provider) && mayStart('setAside', state)
}

export function unservedBecause({ provider }: Pick<VmDescriptor, 'provider'>): string {
  return `its provider ${provider} is not configured`
}
