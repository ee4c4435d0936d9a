import { LibvirtArgumentError, LibvirtConnectError, LibvirtError, LibvirtErrorCode } from '@mainstay/libvirt-rpc'

import { errorCode } from '../../../core/errors.ts'
import type { ProviderErrorClass } from '../errors.ts'

const CLASS_BY_CODE: ReadonlyMap<number, ProviderErrorClass> = new Map(
  (
    [
      ['authentication', 'AUTH_FAILED', 'AUTH_CANCELLED', 'AUTH_UNAVAILABLE', 'OPERATION_DENIED', 'ACCESS_DENIED'],
      ['capacity', 'NO_MEMORY'],
      ['invalid', 'XML_ERROR', 'XML_DETAIL', 'XML_INVALID_SCHEMA', 'INVALID_ARG', 'CONFIG_UNSUPPORTED', 'OS_TYPE'],
      ['invalid', 'NO_STORAGE_POOL', 'NO_STORAGE_VOL', 'NO_NETWORK', 'NO_SUPPORT', 'ARGUMENT_UNSUPPORTED'],
      ['invalid', 'OPERATION_UNSUPPORTED', 'CPU_INCOMPATIBLE', 'CONF_SYNTAX', 'DOM_EXIST'],
    ] as const
  ).flatMap(([kind, ...names]) => names.map((name) => [LibvirtErrorCode[name], kind] as const)),
)

/** QEMU says these in words only, through errors that may mean anything. */
const NO_ROOM = /cannot allocate memory|cannot set up guest memory|out of memory|no space left|disk quota exceeded/i

/** What a failure of libvirt means for a pool. Source: vm-pool.md C11. */
export function libvirtFailureClass(error: unknown): ProviderErrorClass {
  if (error instanceof LibvirtArgumentError) return 'invalid'
  if (error instanceof LibvirtConnectError) {
    return errorCode(error.cause) === 'EACCES' ? 'authentication' : libvirtFailureClass(error.cause)
  }
  if (!(error instanceof LibvirtError)) return 'transient'
  if (NO_ROOM.test(error.serverMessage)) return 'capacity'
  return CLASS_BY_CODE.get(error.code) ?? 'transient'
}
