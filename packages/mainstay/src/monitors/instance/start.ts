import { join } from 'node:path'

import type { StartMonitor } from '../monitor.ts'
import { DomainMemoryFile } from './domain-memory.ts'
import { InstanceMonitor } from './instance-monitor.ts'
import { libvirtAddress } from './libvirt-address.ts'
import { LibvirtDomainSource } from './libvirt-domain-source.ts'

/** The instance monitor on this host's libvirt. */
export const startInstanceMonitor: StartMonitor = async (context, options) => {
  const runtimeDir = process.env['XDG_RUNTIME_DIR'] ?? '/run'
  const address = libvirtAddress(options.libvirt.connectionUri, { runtimeDir })
  const source = new LibvirtDomainSource({ address, times: options.libvirt }, context)
  const memory = new DomainMemoryFile(join(options.stateDir, 'instance-domains.json'))
  return await InstanceMonitor.start({ context, source, memory, options })
}
