import { LibvirtCompute, type LibvirtSettings } from '../compute/libvirt/index.ts'
import { InvalidInputError } from '../core/errors.ts'
import { GuestsDestroyedFence, type FencesFor } from '../recovery/index.ts'
import type { BuiltCompute, ComputeDependencies } from './build-compute.ts'
import type { Config } from './config/schema.ts'

/**
 * libvirt hosts. A host whose libvirtd answers is fenced through it first: that is gentler than its power switch and
 * shows each guest gone; one whose libvirtd is silent is left to the configured commands.
 *
 * @throws InvalidInputError when no host is configured
 */
export async function buildLibvirt(
  config: Config,
  dependencies: ComputeDependencies,
  commands: FencesFor,
): Promise<BuiltCompute> {
  const { libvirt_hosts: hosts } = config.compute
  if (hosts.length === 0) {
    throw new InvalidInputError(
      'compute.driver is libvirt and compute.libvirt_hosts names no host. docs/how-to/libvirt.md shows an example.',
    )
  }
  const compute = await LibvirtCompute.open({
    ...dependencies,
    hosts: hosts.map(({ name, socket, uri }) => ({ name, socketPath: socket, uri })),
    settings: libvirtSettings(config),
  })
  const own = new GuestsDestroyedFence({
    destroyAllGuests: async (host, options) => await compute.destroyAllGuests(host, options),
  })
  return {
    compute,
    fencesFor: (host) => [own, ...commands(host)],
    description: `libvirt on ${hosts.map(({ name }) => name).join(', ')}`,
    simulated: null,
  }
}

function libvirtSettings({ compute }: Config): LibvirtSettings {
  return {
    autostart: compute.libvirt_autostart,
    sharedPaths: compute.libvirt_shared_paths,
    reservedMemoryMib: compute.libvirt_reserved_memory_mib,
    connectTimeoutMs: compute.libvirt_connect_timeout_ms,
    askTimeoutMs: compute.libvirt_ask_timeout_ms,
    actTimeoutMs: compute.libvirt_act_timeout_ms,
    reconnectMinMs: compute.libvirt_reconnect_min_ms,
    reconnectMaxMs: compute.libvirt_reconnect_max_ms,
    keepaliveIntervalMs: compute.libvirt_keepalive_interval_ms,
    keepaliveMisses: compute.libvirt_keepalive_misses,
    refreshIntervalMs: compute.libvirt_refresh_interval_ms,
    gracefulStopMs: compute.libvirt_graceful_stop_ms,
    closeTimeoutMs: compute.libvirt_close_timeout_ms,
  }
}
