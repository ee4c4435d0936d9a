import type { Lifecycle } from '../../core/lifecycle.ts'
import type { Config } from '../config/schema.ts'
import type { Parts } from '../parts.ts'
import type { BuiltPool } from './start-native-pool.ts'

/**
 * Starts the VM pools of this process, in the way that the configuration names. Without groups there is no pool.
 *
 * @param readAgain reads the configuration as it is now; null where nobody knows from where
 * @returns the native pool, for its routes; null where there is none
 */
export async function startPool(
  parts: Parts,
  lifecycle: Lifecycle,
  readAgain: (() => Promise<Config>) | null,
): Promise<BuiltPool | null> {
  const { pool, server } = parts.config
  const keeps = server.roles.includes('pool')
  if (pool.compat === 'vmm') {
    if (!keeps) return null
    const { startVmmPool } = await import('./start-vmm-pool.ts')
    await startVmmPool(parts, lifecycle)
    return null
  }
  if (pool.groups.length === 0 || !(keeps || server.roles.includes('api'))) return null
  const { startNativePool } = await import('./start-native-pool.ts')
  return await startNativePool(parts, lifecycle, readAgain)
}
