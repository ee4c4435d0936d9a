import { DomainListFlag, DomainStatsGroup } from '@mainstay/libvirt-rpc'

import type { CallBounds, LibvirtHost } from './libvirt-host.ts'

const KIB_PER_MIB = 1024

/**
 * What a host can still give to guests, in MiB: its memory without what the host keeps for itself and without the most
 * that each running guest may take. Below zero when more was promised than there is.
 *
 * @throws ComputeUnavailableError when the host does not answer
 */
export async function freeMemoryMib(
  host: LibvirtHost,
  { reservedMemoryMib }: { reservedMemoryMib: number },
  bounds: CallBounds,
): Promise<number> {
  const promisedKib = await host.call('tell the memory of its guests', bounds, async (connection, options) => {
    const stats = await connection.getAllDomainStats({
      ...options,
      groups: DomainStatsGroup.BALLOON,
      flags: DomainListFlag.ACTIVE,
    })
    return stats.reduce((sum, each) => sum + Number(each.stats.get('balloon.maximum') ?? 0), 0)
  })
  return Math.floor(((host.node?.memoryKiB ?? 0) - promisedKib) / KIB_PER_MIB) - reservedMemoryMib
}
