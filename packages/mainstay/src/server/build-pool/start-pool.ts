import type { Lifecycle } from '../../core/lifecycle.ts'
import type { Parts } from '../parts.ts'

/** Starts the VM pools of this process, in the way that the configuration names. */
export async function startPool(parts: Parts, lifecycle: Lifecycle): Promise<void> {
  if (parts.config.pool.compat === 'vmm') {
    const { startVmmPool } = await import('./start-vmm-pool.ts')
    await startVmmPool(parts, lifecycle)
  }
}
