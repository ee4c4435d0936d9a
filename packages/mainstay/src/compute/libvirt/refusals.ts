import { LibvirtError, LibvirtErrorCode } from '@mainstay/libvirt-rpc'

import { InstanceRefusedError, InstanceStateError } from '../errors.ts'

/**
 * Lets a call act on a guest and says what a refusal means, in libvirt's own words.
 *
 * @param what completes "could not be …"
 * @throws InstanceStateError when the guest is not in a state for it, InstanceRefusedError for any other refusal
 */
export async function refusalsOf<T>(
  { guest, host, what }: { guest: { uuid: string; name: string }; host: string; what: string },
  call: Promise<T>,
): Promise<T> {
  try {
    return await call
  } catch (error) {
    if (!(error instanceof LibvirtError)) throw error
    const text = `Guest ${guest.uuid} (${guest.name}) could not be ${what} on host ${host}: ${error.serverMessage}.`
    if (error.code === LibvirtErrorCode.OPERATION_INVALID) {
      throw new InstanceStateError(`${text} Look at its state and ask again.`, { cause: error })
    }
    throw new InstanceRefusedError(`${text} See the log of libvirtd and QEMU on host ${host}.`, { cause: error })
  }
}
