import type { Clock } from '../../core/clock.ts'
import { errorMessage } from '../../core/errors.ts'
import type { Ids } from '../../core/ids.ts'
import type { Logger } from '../../core/logging.ts'
import type { VmDescriptor } from '../descriptor.ts'
import { VmNotFoundError, VmStateError } from '../errors.ts'
import { NoProviderError, type ProviderFleet } from '../provider/fleet.ts'
import { ProviderError } from '../provider/errors.ts'
import type { CreatedMachine, MachineRef, Provider } from '../provider/provider.ts'
import type { GroupSetup, PoolSetup } from '../setup.ts'
import { ENDING_STATES } from '../state.ts'
import type { PoolStore, SpawnRefusalKind } from '../store.ts'
import { GroupFaults } from './group-faults.ts'
import { Jobs } from './jobs.ts'

export interface SpawnerDeps {
  readonly store: PoolStore
  readonly clock: Clock
  readonly ids: Ids
  readonly logger: Logger
  readonly fleet: ProviderFleet
  readonly setup: () => PoolSetup
  /** Told of a spawn that a limit of the store forbade. */
  readonly limitHit: (group: string, kind: SpawnRefusalKind) => void
  /** Told of a machine that was made: by whom, from what, and how long that took in milliseconds. */
  readonly launched?: (provider: string, image: string, tookMs: number) => void
}

export interface SpawnerOptions {
  /** Begins the names of machines, so that a person knows them at the provider. */
  readonly namePrefix: string
  /** Machines that are made ready at one time, over all groups. */
  readonly atOnce: number
}

/** The most machines that are made ready or wait for it in one process. */
const MOST = 10_000

/** Letters of an identifier that are unique enough beside a check for repeats. */
const ID_DIGITS = 10

/**
 * Makes machines: new ones, stopped ones, used ones clean again.
 *
 * A new machine is written down before its provider is asked, under the name that it will have there. Asking again with
 * that name gives the same machine: so a spawn that a crash or another master left behind is simply asked for again.
 *
 * Source: vm-pool.md A8, C6, C8, C11, C17.
 */
export class Spawner {
  readonly #deps: SpawnerDeps
  readonly #options: SpawnerOptions
  readonly #jobs: Jobs
  readonly #faults = new GroupFaults()

  constructor(deps: SpawnerDeps, options: SpawnerOptions) {
    this.#deps = deps
    this.#options = options
    this.#jobs = new Jobs({ ...deps, what: 'Making ready the machine', atOnce: options.atOnce, most: MOST })
  }

  get jobs(): Jobs {
    return this.#jobs
  }

  /** Why no machine of a group can be asked for now; null when one can. */
  whyNot(group: string): string | null {
    const { clock, fleet, setup } = this.#deps
    const found = setup().groups.get(group)
    if (found === undefined) return 'its configuration names no provider'
    const fault = this.#faults.at(group, clock.now())
    if (fault !== null) return fault
    const choice = fleet.choose(found.providers)
    if (choice.choice === 'use') return null
    const each = choice.refusals.map(({ provider, because }) => `${provider} ${because}`).join(', ')
    return `no provider takes requests (${each === '' ? 'none is configured' : each})`
  }

  /** Forgets what was wrong with groups: the configuration was read again. */
  forgetFaults(): void {
    this.#faults.clear()
  }

  /** Writes a spawn down and begins it. @returns whether it was allowed @throws PoolMasterFencedError */
  async spawn(group: string, fence: number): Promise<boolean> {
    const { store, clock, ids, fleet, setup, limitHit } = this.#deps
    const found = setup().groups.get(group)
    if (found === undefined || this.#jobs.room === 0) return false
    const choice = fleet.choose(found.providers)
    if (choice.choice !== 'use') return false
    const name = `${this.#options.namePrefix}-${group}-${ids.random().replaceAll('-', '').slice(0, ID_DIGITS)}`
    const outcome = await store.requestSpawn({ name, group, provider: choice.provider, fence, now: clock.now() })
    if (outcome.outcome === 'refused') {
      limitHit(group, outcome.kind)
      return false
    }
    this.#jobs.run(name, group, async (signal) => await this.#create(outcome.vm, found, { signal, again: false }))
    return true
  }

  /** Starts a stopped machine. @throws PoolMasterFencedError, VmStateError */
  async wake(vm: VmDescriptor, fence: number): Promise<void> {
    const { store, clock } = this.#deps
    await store.wake({ name: vm.name, fence, now: clock.now() })
    this.takeUp({ ...vm, state: 'starting' }, fence)
  }

  /** Stops an idle machine; one that cannot be stopped is destroyed. @throws PoolMasterFencedError, VmStateError */
  async standBy(vm: VmDescriptor, fence: number): Promise<void> {
    const { store, clock, logger } = this.#deps
    const { name, group } = vm
    await store.standBy({ name, fence, now: clock.now() })
    this.#jobs.run(name, group, async (signal) => {
      try {
        await this.#providerOf(vm).stop(refOf(vm), { signal })
      } catch (error) {
        if (signal.aborted) return
        logger.warn({ vm: name, err: error }, `The machine ${name} could not be stopped and is destroyed`)
        const reason = `it could not be stopped: ${errorMessage(error)}`
        await store.terminate({ names: [name], by: { fence }, reason, allowedFrom: ['standby'], now: clock.now() })
      }
    })
  }

  /** Goes on with what a machine needs to become ready, unless this process works on it already. */
  takeUp(vm: VmDescriptor, fence: number): void {
    const found = this.#deps.setup().groups.get(vm.group)
    if (vm.state === 'requested' || vm.state === 'building') {
      if (found === undefined) return
      this.#jobs.run(vm.name, vm.group, async (signal) => await this.#create(vm, found, { signal, again: true }))
    } else if (vm.state === 'starting') {
      this.#jobs.run(vm.name, vm.group, async (signal) => await this.#start(vm, signal))
    } else if (vm.state === 'resetting') {
      this.#jobs.run(vm.name, vm.group, async (signal) => await this.#reset(vm, { signal, fence }))
    }
  }

  async #create(
    vm: VmDescriptor,
    { providers, profile }: GroupSetup,
    { signal, again }: { readonly signal: AbortSignal; readonly again: boolean },
  ): Promise<void> {
    const { store, clock, fleet, launched } = this.#deps
    const { name, group, createdAt } = vm
    let askedAt = clock.now()
    let asked = vm.provider ?? ''
    const note = async (providerId: string | null): Promise<void> => {
      await store.building({ name, provider: asked, providerId, now: clock.now() })
    }
    let machine: CreatedMachine | undefined
    try {
      const made = await fleet.create(
        {
          name,
          pool: group,
          createdAt,
          profile,
          signal,
          onAccepted: async ({ providerId }) => await note(providerId),
        },
        {
          providers,
          first: again ? vm.provider : null,
          onAttempt: async (provider) => {
            asked = provider
            askedAt = clock.now()
            await note(null)
          },
          stillWanted: async () => await this.#isWanted(name),
        },
      )
      machine = made.machine
      launched?.(made.provider, profile['image'] ?? profile['template'] ?? '', clock.now() - askedAt)
      this.#faults.forget(group)
      await this.#arrived(name, machine)
    } catch (error) {
      await this.#createFailed(vm, { error, signal, machine, provider: asked })
    }
  }

  async #createFailed(
    vm: VmDescriptor,
    failure: {
      readonly error: unknown
      readonly signal: AbortSignal
      readonly machine: CreatedMachine | undefined
      readonly provider: string
    },
  ): Promise<void> {
    const { error, signal, machine, provider } = failure
    // Told to stop: the record stays, and whoever leads the pool next goes on with it, or ends it.
    if (signal.aborted) return
    if (isEnded(error)) {
      // Its end was decided meanwhile, perhaps before there was anything to destroy.
      await this.#destroy(provider, machine ?? { name: vm.name, providerId: null }, signal)
      return
    }
    // Somebody else has brought it into the pool.
    if (error instanceof VmStateError) return
    if (error instanceof NoProviderError) return await this.#failed(vm.name, errorMessage(error), false)
    // Not the provider's but the store's trouble: the machine may be good, so the record is taken up again.
    if (!(error instanceof ProviderError)) throw error
    const wrong = error.class === 'invalid'
    if (wrong) this.#faults.add(vm.group, errorMessage(error), this.#deps.clock.now())
    await this.#failed(vm.name, errorMessage(error), !wrong || error.leftBehind !== undefined)
  }

  async #start(vm: VmDescriptor, signal: AbortSignal): Promise<void> {
    try {
      await this.#arrived(vm.name, await this.#providerOf(vm).start(refOf(vm), { signal }))
    } catch (error) {
      if (signal.aborted || error instanceof VmStateError || isEnded(error)) return
      await this.#failed(vm.name, errorMessage(error), true)
    }
  }

  async #reset(
    vm: VmDescriptor,
    { signal, fence }: { readonly signal: AbortSignal; readonly fence: number },
  ): Promise<void> {
    const { store, clock, logger } = this.#deps
    const { name } = vm
    try {
      const { address } = await this.#providerOf(vm).reset(refOf(vm), { signal })
      await store.resetDone({ name, ip: address, now: clock.now() })
    } catch (error) {
      if (signal.aborted || error instanceof VmStateError || isEnded(error)) return
      logger.warn({ vm: name, err: error }, `The machine ${name} was not made clean again and is destroyed`)
      const reason = `it could not be made clean again: ${errorMessage(error)}`
      await store.terminate({ names: [name], by: { fence }, reason, allowedFrom: ['resetting'], now: clock.now() })
    }
  }

  async #arrived(name: string, machine: CreatedMachine): Promise<void> {
    const { store, clock } = this.#deps
    const { address, providerId, data } = machine
    await store.spawned({ name, ip: address, providerId, providerData: data, now: clock.now() })
  }

  async #failed(name: string, reason: string, destroy: boolean): Promise<void> {
    const { store, clock, logger } = this.#deps
    try {
      await store.spawnFailed({ name, reason, destroy, now: clock.now() })
    } catch (error) {
      if (!isEnded(error)) throw error
      logger.info({ vm: name }, `The machine ${name} was ended before it was made: ${reason}`)
      return
    }
    logger.warn({ vm: name }, `The machine ${name} was not made: ${reason}`)
  }

  async #destroy(provider: string, machine: MachineRef, signal: AbortSignal): Promise<void> {
    const { logger, fleet } = this.#deps
    const { name } = machine
    logger.info({ vm: name }, `The machine ${name} came too late and is destroyed`)
    try {
      await fleet.provider(provider)?.destroy(machine, { signal })
    } catch (error) {
      if (signal.aborted) return
      const left = `The machine ${name} came too late and is not gone; it is looked for among the leaks`
      logger.warn({ vm: name, err: error }, `${left}: ${errorMessage(error)}`)
    }
  }

  /** Whether a machine is still to be made. While that cannot be known, it is. */
  async #isWanted(name: string): Promise<boolean> {
    const { store, logger } = this.#deps
    try {
      const vm = await store.get(name)
      return vm !== null && !ENDING_STATES.includes(vm.state)
    } catch (error) {
      logger.warn({ vm: name }, `It is not known whether the machine ${name} is still wanted: ${errorMessage(error)}`)
      return true
    }
  }

  #providerOf(vm: VmDescriptor): Provider {
    const provider = vm.provider === null ? undefined : this.#deps.fleet.provider(vm.provider)
    if (provider === undefined) throw new Error(`its provider ${vm.provider ?? '(none)'} is not configured`)
    return provider
  }
}

/** Whether the store refused because the pool has ended the machine, or has forgotten it already. */
function isEnded(error: unknown): boolean {
  return error instanceof VmNotFoundError || (error instanceof VmStateError && ENDING_STATES.includes(error.state))
}

/** A machine as its provider knows it. */
export function refOf({ name, providerId, ip, providerData }: VmDescriptor): MachineRef {
  return { name, providerId, address: ip, ...(providerData === null ? {} : { data: providerData }) }
}
