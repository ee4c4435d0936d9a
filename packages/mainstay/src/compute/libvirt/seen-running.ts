import type { HostName } from '../compute.ts'
import { ComputeUnavailableError, InstanceStateError } from '../errors.ts'
import { hasProcess } from './instance-state.ts'
import type { CallBounds, LibvirtHost } from './libvirt-host.ts'

/**
 * Hosts on which a guest has a process now, of those that answer. What a silent host runs is not known: that is what a
 * fence certificate is for.
 */
export async function hostsRunning(
  uuid: string,
  hosts: readonly LibvirtHost[],
  bounds: CallBounds,
): Promise<HostName[]> {
  const answering = hosts.filter((host) => host.state === 'up')
  const running = await Promise.all(
    answering.map(async (host) => {
      try {
        const state = await host.guestState(uuid, bounds)
        return state !== undefined && hasProcess(state)
      } catch (error) {
        if (error instanceof ComputeUnavailableError) return false
        throw error
      }
    }),
  )
  return answering.flatMap(({ name }, index) => (running[index] === true ? [name] : []))
}

/** @throws InstanceStateError when the guest has a process on any of the hosts that answer */
export async function refuseWhileRunning(
  guest: { readonly uuid: string; readonly name: string },
  hosts: readonly LibvirtHost[],
  bounds: CallBounds,
): Promise<void> {
  const [host] = await hostsRunning(guest.uuid, hosts, bounds)
  if (host === undefined) return
  throw new InstanceStateError(
    `Guest ${guest.uuid} (${guest.name}) is seen running on host ${host}; a second copy would destroy its disks. ` +
      `Nothing was done. Stop it there first, or leave it where it is.`,
  )
}
