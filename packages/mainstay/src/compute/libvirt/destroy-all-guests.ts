import { DomainListFlag, LibvirtError, LibvirtErrorCode, type Domain } from '@mainstay/libvirt-rpc'

import type { Clock } from '../../core/clock.ts'
import { GuestUnaccountedError, InstanceRefusedError } from '../errors.ts'
import type { FenceEvidence } from '../fence-certificate.ts'
import { accountFor } from './account-for.ts'
import type { GuestRecord } from './guest-record.ts'
import { absentAsUndefined, type CallBounds, type LibvirtHost } from './libvirt-host.ts'
import { liveStates } from './live-states.ts'

export interface DestroyServices {
  readonly clock: Clock
  readonly recorded: () => Promise<readonly GuestRecord[]>
  readonly around: (guest: Domain, destroy: () => Promise<void>) => Promise<void>
}

/** How often the list is looked at again when it still shows a guest: one may start while others are destroyed. */
const ROUNDS = 3

/**
 * Ends every guest of a host through its own libvirtd, and returns what was *seen* afterwards: that none is left, and
 * what became of each guest that ran there.
 *
 * @param recorded reads what is kept of the guests of the host
 * @param around wraps the end of each guest, so that it can be remembered
 * @throws InstanceRefusedError when a guest does not go, GuestUnaccountedError when one that ran there was not seen to end,
 *   ComputeUnavailableError when the host does not answer
 */
export async function destroyAllGuests(
  host: LibvirtHost,
  { clock, recorded, around }: DestroyServices,
  bounds: CallBounds,
): Promise<FenceEvidence[]> {
  const gone = new Map<string, Domain>()
  // Before anything is destroyed: what ends now is seen to end.
  const ran = await recorded()
  for (let round = 0; round < ROUNDS; round += 1) {
    const running = await listRunning(host, bounds)
    if (running.length === 0) return await evidenceOf(host, { gone, ran, clock }, bounds)
    for (const guest of running) {
      await around(guest, async () => await destroy(host, guest, bounds))
      gone.set(guest.uuid, guest)
    }
  }
  const left = await listRunning(host, bounds)
  if (left.length === 0) return await evidenceOf(host, { gone, ran, clock }, bounds)
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

/** @throws GuestUnaccountedError, ComputeUnavailableError */
async function evidenceOf(
  host: LibvirtHost,
  { gone, ran, clock }: { gone: ReadonlyMap<string, Domain>; ran: readonly GuestRecord[]; clock: Clock },
  bounds: CallBounds,
): Promise<FenceEvidence[]> {
  const states = await liveStates(host, bounds)
  await host.lookAtCpuTime(bounds)
  const accounts = ran.map((record) => {
    const { uuid } = record
    const shown = { state: states.get(uuid), destroyed: gone.has(uuid), hostCpuTimeMs: host.cpuTimeMs }
    return { record, account: accountFor(record, shown) }
  })
  const unaccounted = accounts.flatMap(({ record, account }) => (account.is === 'unaccounted' ? [record] : []))
  if (unaccounted.length > 0) throw new GuestUnaccountedError(host.name, unaccounted)
  const known = new Set(ran.map(({ uuid }) => uuid))
  const strangers = [...gone.values()].filter(({ uuid }) => !known.has(uuid))
  const saw = [
    ...accounts.flatMap(({ account }) => (account.is === 'gone' ? [account.saw] : [])),
    ...strangers.map(({ uuid, name }) => `guest ${uuid} (${name}) was destroyed and is not among the running guests`),
    'the list of running guests is empty',
  ]
  const at = clock.now()
  return saw.map((each) => ({ at, source: `libvirtd of host ${host.name}`, saw: each }))
}
