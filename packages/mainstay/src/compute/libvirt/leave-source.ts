import type { HostName } from '../compute.ts'
import { ComputeUnavailableError } from '../errors.ts'
import { openMove, type GuestRecord, type RecordedMove } from './guest-record.ts'
import { hasProcess } from './instance-state.ts'
import type { Inventory } from './inventory.ts'
import { undefineGuest } from './inventory-keeper.ts'
import type { CallBounds, LibvirtHost } from './libvirt-host.ts'
import { refusalsOf } from './refusals.ts'

/**
 * Takes a guest's definition from the host that it leaves, if that host answers and the guest has no process there: whoever
 * was asked to start it there, and wakes up late, finds nothing to start. What it needs to be defined there again, should the
 * restart elsewhere be given back, is noted before. A host that is silent is what the fence certificate is for.
 *
 * @throws InstanceRefusedError, InstanceStateError when the host does not let go of it
 */
export async function leaveSource(
  { inventory, hosts }: { readonly inventory: Inventory; readonly hosts: ReadonlyMap<HostName, LibvirtHost> },
  { record, move }: { readonly record: GuestRecord; readonly move: RecordedMove },
  bounds: CallBounds,
): Promise<void> {
  const source = hosts.get(move.source)
  if (source === undefined || source.state !== 'up') return
  try {
    const state = await source.guestState(record.uuid, bounds)
    if (state === undefined || hasProcess(state)) return
    const noted = await inventory.change(record.uuid, (now) =>
      now !== undefined && openMove(now)?.key === move.key ? { ...now, takenFrom: move.source } : undefined,
    )
    // Somebody else has moved it meanwhile, which whoever called finds out before the guest is started.
    if (noted === undefined) return
    const refusal = { guest: record, host: source.name, what: 'undefined, before it is started elsewhere,' }
    await refusalsOf(refusal, undefineGuest(source, record.uuid, bounds))
  } catch (error) {
    if (!(error instanceof ComputeUnavailableError)) throw error
  }
}
