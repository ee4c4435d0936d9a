import { DomainListFlag, LibvirtError, LibvirtErrorCode, type Domain } from '@mainstay/libvirt-rpc'

import type { Clock } from '../../core/clock.ts'
import { InstanceRefusedError } from '../errors.ts'
import type { FenceEvidence } from '../fence-certificate.ts'
import { absentAsUndefined, type CallBounds, type LibvirtHost } from './libvirt-host.ts'

/** How often the list is looked at again when it still shows a guest: one may start while others are destroyed. */
const ROUNDS = 3

/**
 * Ends every guest of a host through its own libvirtd, and returns what was *seen* afterwards: that none is left.
 *
 * @param around wraps the end of each guest, so that it can be remembered
 * @throws InstanceRefusedError when a guest does not go, ComputeUnavailableError when the host does not answer
 */
export async function destroyAllGuests(
  host: LibvirtHost,
  { clock, around }: { clock: Clock; around: (guest: Domain, destroy: () => Promise<void>) => Promise<void> },
  bounds: CallBounds,
): Promise<FenceEvidence[]> {
  const gone = new Map<string, Domain>()
  for (let round = 0; round < ROUNDS; round += 1) {
    const running = await listRunning(host, bounds)
    if (running.length === 0) return evidenceOf(host, [...gone.values()], clock.now())
    for (const guest of running) {
      await around(guest, async () => await destroy(host, guest, bounds))
      gone.set(guest.uuid, guest)
    }
  }
  const left = await listRunning(host, bounds)
  if (left.length === 0) return evidenceOf(host, [...gone.values()], clock.now())
  throw new InstanceRefusedError(
    `Host ${host.name} still runs ${left.length} guests after all were destroyed (${left[0]?.name}, …). ` +
      `Something starts them again; stop that, or cut the host's power.`,
  )
}

async function listRunning(host: LibvirtHost, bounds: CallBounds): Promise<Domain[]> {
  return await host.call('list its running guests', bounds, async (connection, options) => {
    return await connection.listAllDomains({ ...options, flags: DomainListFlag.ACTIVE })
  })
}

async function destroy(host: LibvirtHost, guest: Domain, bounds: CallBounds): Promise<void> {
  try {
    await host.call(`destroy guest ${guest.uuid}`, bounds, async (connection, options) => {
      await absentAsUndefined(connection.destroy(guest, options))
    })
  } catch (error) {
    // It ended by itself meanwhile; the list tells.
    if (!(error instanceof LibvirtError)) throw error
    if (error.code === LibvirtErrorCode.OPERATION_INVALID) return
    throw new InstanceRefusedError(
      `Guest ${guest.uuid} (${guest.name}) of host ${host.name} cannot be destroyed: ${error.serverMessage}. ` +
        `Cut the host's power instead.`,
      { cause: error },
    )
  }
}

function evidenceOf({ name }: LibvirtHost, gone: readonly Domain[], at: number): FenceEvidence[] {
  const source = `libvirtd of host ${name}`
  return [
    ...gone.map((guest) => ({
      at,
      source,
      saw: `guest ${guest.uuid} (${guest.name}) was destroyed and is not among the running guests`,
    })),
    { at, source, saw: 'the list of running guests is empty' },
  ]
}
