import { InvalidInputError } from '../core/errors.ts'
import { requireAddress } from './address.ts'
import type { VmDescriptor } from './descriptor.ts'
import { VmExistsError } from './errors.ts'
import { ENDING_STATES } from './state.ts'

/** What a machine may be called: it goes into hooks, definitions and file names. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/

/**
 * Refuses a machine that somebody names and that the pool could not tell from others, or that nothing could be done with.
 * Names are compared in any case, as the providers' machines are; an address belongs to one machine that lives.
 *
 * Source: vm-pool.md A8, C10, C15.
 *
 * @param known the records of the pool
 * @throws InvalidInputError, VmExistsError
 */
export function requireAdoptable(
  { name, ip }: { readonly name: string; readonly ip: string },
  known: readonly Pick<VmDescriptor, 'name' | 'group' | 'ip' | 'state'>[],
): void {
  if (!NAME.test(name)) {
    throw new InvalidInputError(
      `"${name}" cannot be the name of a machine. Write letters, digits, ".", "_" and "-", beginning with a letter or digit.`,
    )
  }
  requireAddress(ip)
  const namesake = known.find((vm) => vm.name.toLowerCase() === name.toLowerCase())
  if (namesake !== undefined) throw new VmExistsError(namesake.name, namesake.group)
  const neighbour = known.find((vm) => vm.ip === ip && !ENDING_STATES.includes(vm.state))
  if (neighbour !== undefined) {
    throw new InvalidInputError(`The address ${ip} is that of the machine ${neighbour.name} already.`)
  }
}
