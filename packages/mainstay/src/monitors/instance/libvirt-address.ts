import { AgentConfigError } from '../errors.ts'

/** How to reach the libvirt of a URI over its sockets on this machine. */
export interface LibvirtAddress {
  /** To be tried in this order: the first that is there. */
  readonly socketPaths: readonly [string, ...string[]]
  /** What the daemon itself is asked to open. */
  readonly uri: string
}

/**
 * Reads `[libvirt] connection_uri`. Without `?socket=` the read-only sockets of the one big daemon and of the modular
 * one are tried; a socket that is named is used as it is.
 *
 * Source: monitors.md IM-1, 7.6.
 *
 * @throws AgentConfigError when the URI leads to another machine
 */
export function libvirtAddress(connectionUri: string, { runtimeDir }: { runtimeDir: string }): LibvirtAddress {
  if (!URL.canParse(connectionUri)) {
    throw new AgentConfigError(`connection_uri is "${connectionUri}", which is no URI; for example: qemu:///system.`)
  }
  const url = new URL(connectionUri)
  const [driver = '', transport = 'unix'] = url.protocol.slice(0, -1).split('+')
  if (url.host !== '' || transport !== 'unix') {
    throw new AgentConfigError(
      `connection_uri is "${connectionUri}", but guests are watched through a Unix socket of their own host. ` +
        `Run an agent on that host, with connection_uri = qemu:///system.`,
    )
  }
  const uri = `${driver}://${url.pathname}`
  const socket = url.searchParams.get('socket')
  if (socket !== null) return { socketPaths: [socket], uri }
  if (url.pathname === '/session') {
    return { socketPaths: [`${runtimeDir}/libvirt/libvirt-sock`, `${runtimeDir}/libvirt/virt${driver}d-sock`], uri }
  }
  return { socketPaths: ['/run/libvirt/libvirt-sock-ro', `/run/libvirt/virt${driver}d-sock-ro`], uri }
}
