import type { Clock } from '../../core/clock.ts'
import { withDeadline } from '../../core/deadline.ts'
import { TimeoutError, errorMessage } from '../../core/errors.ts'
import type { Logger } from '../../core/logging.ts'
import type { Random } from '../../core/random.ts'
import type { CheckOutcome } from '../check/index.ts'
import type { VmDescriptor } from '../descriptor.ts'
import type { GroupRules } from '../options.ts'
import type { ProviderFleet } from '../provider/fleet.ts'
import type { GroupSetup, PoolSetup } from '../setup.ts'
import type { PoolStore } from '../store.ts'
import { Jobs } from './jobs.ts'

export interface CheckerDeps {
  readonly store: PoolStore
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly fleet: Pick<ProviderFleet, 'serves'>
  readonly setup: () => PoolSetup
}

export interface CheckerOptions {
  /** Checks at one time. */
  readonly atOnce: number
  /** Checks that run or wait for their turn. */
  readonly most: number
}

/** By how much of its period a check comes earlier or later, so that machines made together are not checked together. */
const JITTER = 0.1

/**
 * Looks whether machines work.
 *
 * Source: vm-pool.md A6.3, A6.4, C7.
 */
export class Checker {
  readonly #deps: CheckerDeps
  readonly #jobs: Jobs

  constructor(deps: CheckerDeps, options: CheckerOptions) {
    this.#deps = deps
    this.#jobs = new Jobs({ ...deps, what: 'Checking the machine', ...options })
  }

  get jobs(): Jobs {
    return this.#jobs
  }

  /** Writes the starts of checks down, all in one step, and begins them. @throws PoolMasterFencedError */
  async start(vms: readonly VmDescriptor[], rulesOf: (group: string) => GroupRules, fence: number): Promise<void> {
    const { store, clock, random, fleet } = this.#deps
    const free = vms.filter(({ name }) => !this.#jobs.has(name))
    if (free.length === 0) return
    const now = clock.now()
    const checks = free.map(({ name, group }) => {
      const periodMs = rulesOf(group).checkPeriodMs
      return { name, nextCheckAt: now + Math.round(periodMs * (1 + JITTER * (2 * random.next() - 1))) }
    })
    const started = await store.startChecks({ checks, fence, now })
    const refused = new Set(started.refused.map(({ name }) => name))
    for (const vm of free) {
      if (refused.has(vm.name)) continue
      // Nobody knows whether it is there: what no check passed since the start is not handed out (C7).
      const taken =
        fleet.serves(vm) && this.#jobs.run(vm.name, vm.group, async (signal) => await this.#check(vm, now, signal))
      if (!taken) await store.checkNotLaunched({ name: vm.name, startedAt: now, now: clock.now() })
    }
  }

  async #check(vm: VmDescriptor, startedAt: number, signal: AbortSignal): Promise<void> {
    const { store, clock, logger, setup } = this.#deps
    const { name } = vm
    const found = setup().groups.get(vm.group)
    let outcome: CheckOutcome
    try {
      outcome = found === undefined ? NOTHING_TO_CHECK : await checkOnce(clock, found, vm, signal)
    } catch (error) {
      logger.warn({ vm: name, err: error }, `The machine ${name} could not be checked: ${errorMessage(error)}`)
      await store.checkNotLaunched({ name, startedAt, now: clock.now() })
      return
    }
    const result = { name, startedAt, now: clock.now() }
    if (outcome.passed) await store.checkPassed(result)
    else await store.checkFailed({ ...result, reason: outcome.reason })
  }
}

/** A group that is gone from the configuration says no more how its machines are checked; they are drained. */
const NOTHING_TO_CHECK: CheckOutcome = { passed: true, reason: '' }

/** One check within its time. @throws what kept it from being started */
export async function checkOnce(
  clock: Clock,
  { check, checkTimeoutMs }: Pick<GroupSetup, 'check' | 'checkTimeoutMs'>,
  vm: VmDescriptor,
  signal: AbortSignal,
): Promise<CheckOutcome> {
  const what = `The check of ${vm.name}`
  try {
    return await withDeadline({ clock, what, timeoutMs: checkTimeoutMs, signal }, async (within) => {
      return await check(vm, { signal: within })
    })
  } catch (error) {
    if (error instanceof TimeoutError) return { passed: false, reason: error.message }
    throw error
  }
}
