import type { Clock } from '../../core/clock.ts'
import { ForeignMachineError, ProviderTransientError } from './errors.ts'
import type { Asking, CreateRequest, CreatedMachine, Machine, MachineRef, Provider } from './provider.ts'

/** What a driver brings for looking before making. */
export interface TakeOver {
  readonly provider: Pick<Provider, 'name' | 'installation'>
  readonly clock: Clock
  /** Finds the machine of that name whoever it belongs to; one of ours is preferred. */
  readonly look: (machine: MachineRef, asking: Asking) => Promise<Machine | undefined>
  /** Undefined where machines cannot be started: a stopped one is then made anew. */
  readonly start: ((machine: Machine, asking: Asking) => Promise<CreatedMachine>) | undefined
  readonly destroy: (machine: Machine, asking: Asking) => Promise<void>
  /** How long after its making was asked for a machine may still be building. */
  readonly createTimeoutMs: number
  readonly pollMs: number
}

/** What to do about a machine that bears the name of the one to be made. */
export type StandingMachine = 'foreign' | 'use' | 'start' | 'wait' | 'remake' | 'unclear'

/**
 * - running with an address: use it
 * - stopped: start it, where that can be done
 * - on its way, or on its way out: wait, but not longer than a creation may take
 * - in error, or later than that: destroy it and make it anew
 */
export function judgeStanding(
  machine: Machine,
  { installation, now, createTimeoutMs }: { installation: string; now: number; createTimeoutMs: number },
): StandingMachine {
  if (machine.tags?.installation !== installation) return 'foreign'
  if (machine.status === 'running' && machine.address !== null) return 'use'
  if (machine.status === 'stopped') return 'start'
  if (machine.status === 'error') return 'remake'
  if (now < machine.tags.createdAt + createTimeoutMs) return 'wait'
  return machine.status === 'unknown' ? 'unclear' : 'remake'
}

/**
 * Looks for what an earlier attempt made, and waits until it can be used.
 *
 * @returns the machine, or undefined when there is none (any more) and it has to be made
 * @throws ForeignMachineError when somebody else's machine bears the name; ProviderError
 */
export async function takeOver(request: CreateRequest, driver: TakeOver): Promise<CreatedMachine | undefined> {
  const { provider, clock, createTimeoutMs } = driver
  const { signal } = request
  for (;;) {
    const machine = await driver.look({ name: request.name, providerId: null }, { signal })
    if (machine === undefined) return undefined
    const { installation } = provider
    switch (judgeStanding(machine, { installation, now: clock.now(), createTimeoutMs })) {
      case 'foreign':
        throw foreign(provider, machine)
      case 'unclear':
        throw new ProviderTransientError(
          provider.name,
          `Provider ${provider.name} does not say how the machine ${machine.name} is, so it is neither used nor made anew.`,
        )
      case 'use':
        await request.onAccepted?.({ providerId: machine.providerId })
        return { ...machine, address: machine.address! }
      case 'start':
        if (driver.start !== undefined) {
          await request.onAccepted?.({ providerId: machine.providerId })
          return await driver.start(machine, { signal })
        }
        await driver.destroy(machine, { signal })
        return undefined
      case 'remake':
        await driver.destroy(machine, { signal })
        return undefined
      case 'wait':
        await clock.sleep(driver.pollMs, { signal })
    }
  }
}

/** @throws ForeignMachineError unless the machine carries the tag of the provider's installation */
export function mustBeOurs(provider: Pick<Provider, 'name' | 'installation'>, machine: Machine): void {
  if (machine.tags?.installation !== provider.installation) throw foreign(provider, machine)
}

function foreign(
  { name, installation }: Pick<Provider, 'name' | 'installation'>,
  machine: Machine,
): ForeignMachineError {
  return new ForeignMachineError(
    name,
    `Provider ${name} has a machine ${machine.name} without the tag of this installation (${installation}). ` +
      `It was left alone: use another name, or remove it yourself.`,
  )
}

/** The machine that a reference means: by its identifier where that is known, else by its name, ours before others. */
export function findMachine(
  all: readonly Machine[],
  wanted: MachineRef,
  { installation }: Pick<Provider, 'installation'>,
): Machine | undefined {
  const found = all.filter(({ name, providerId }) => {
    return wanted.providerId === null ? name === wanted.name : providerId === wanted.providerId
  })
  return found.find(({ tags }) => tags?.installation === installation) ?? found[0]
}
