import { DomainStatsGroup, type DomainStateAndReason } from '@mainstay/libvirt-rpc'

import type { CallBounds, LibvirtHost } from './libvirt-host.ts'

/**
 * The states of all guests of a host, by guest, in one call.
 *
 * @throws ComputeUnavailableError when the host does not answer
 */
export async function liveStates(host: LibvirtHost, bounds: CallBounds): Promise<Map<string, DomainStateAndReason>> {
  const stats = await host.call('tell the states of its guests', bounds, async (connection, options) => {
    return await connection.getAllDomainStats({ ...options, groups: DomainStatsGroup.STATE })
  })
  return new Map(
    stats.map(({ domain, stats }) => {
      const state = Number(stats.get('state.state') ?? 0)
      return [domain.uuid, { state, reason: Number(stats.get('state.reason') ?? 0) }]
    }),
  )
}
