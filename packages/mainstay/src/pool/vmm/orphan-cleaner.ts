import pLimit from 'p-limit'

import type { Clock } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logging.ts'
import { findOrphans, type ListedMachine, type Orphan } from '../rules/orphans.ts'
import type { VmManager } from './manager.ts'
import type { VmmOptions } from './options.ts'
import { seconds } from './seconds.ts'

/** Where the machines of a pool run. */
export interface MachineSource<Machine extends ListedMachine> {
  /** All machines, not only those of the pool. Times in unix seconds. @throws when any may be missing */
  list(asking: { signal: AbortSignal }): Promise<readonly Machine[]>
  destroy(machine: Machine, asking: { signal: AbortSignal }): Promise<void>
}

export interface OrphanCleanerDependencies<Machine extends ListedMachine> {
  readonly manager: Pick<VmManager, 'getAllVm' | 'getAllNames'>
  readonly source: MachineSource<Machine>
  readonly clock: Clock
  readonly logger: Logger
}

export interface CleanUpReport<Machine extends ListedMachine> {
  readonly destroyed: readonly Orphan<Machine>[]
  readonly failed: readonly Orphan<Machine>[]
}

/**
 * Destroys machines of the provider that the pool does not know or that are broken. A deletion that fails is logged and does
 * not stop the others.
 *
 * Source: vm-pool.md A10.
 *
 * @param options.alsoReady whether machines that the pool knows and that are ready go too
 * @throws what the listing throws: then nothing is destroyed
 */
export async function cleanUpOrphans<Machine extends ListedMachine>(
  { orphanGrace, orphanParallelism }: VmmOptions,
  { manager, source, clock, logger }: OrphanCleanerDependencies<Machine>,
  { alsoReady, signal }: { alsoReady: boolean; signal: AbortSignal },
): Promise<CleanUpReport<Machine>> {
  const machines = await source.list({ signal })
  // Asked after the listing: a machine that was added meanwhile is known then.
  const names = await manager.getAllNames()
  const states = new Map((await manager.getAllVm()).map(({ vmName, state }) => [vmName, state]))
  const pool = names.map((name) => ({ name, state: states.get(name) ?? 'partial record' }))
  const orphans = findOrphans(machines, pool, seconds(clock), { grace: orphanGrace, alsoReady })
  const limit = pLimit(orphanParallelism)
  const gone = await Promise.all(
    orphans.map((orphan) =>
      limit(async () => {
        try {
          await source.destroy(orphan.machine, { signal })
          logger.info({ machine: orphan.machine.name, because: orphan.because }, 'an orphan was destroyed')
          return true
        } catch (error) {
          signal.throwIfAborted()
          logger.error(
            { machine: orphan.machine.name, err: error },
            `An orphan could not be destroyed: ${errorMessage(error)}`,
          )
          return false
        }
      }),
    ),
  )
  return {
    destroyed: orphans.filter((_, index) => gone[index] === true),
    failed: orphans.filter((_, index) => gone[index] === false),
  }
}

/**
 * Cleans up once per period until the signal is aborted. A clean-up that fails is logged.
 *
 * @throws the signal's reason
 */
export async function cleanUpPeriodically<Machine extends ListedMachine>(
  options: VmmOptions,
  dependencies: OrphanCleanerDependencies<Machine>,
  { signal }: { signal: AbortSignal },
): Promise<never> {
  for (;;) {
    await dependencies.clock.sleep(options.orphanPeriod * 1000, { signal })
    try {
      await cleanUpOrphans(options, dependencies, { alsoReady: false, signal })
    } catch (error) {
      signal.throwIfAborted()
      dependencies.logger.error({ err: error }, `The clean-up of orphans failed: ${errorMessage(error)}`)
    }
  }
}
